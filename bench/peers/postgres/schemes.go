package postgres

import (
	_ "embed"

	"github.com/cloudlicenses/cloudlicenses/bench/peers/peer"
)

const (
	schemeCounter = "counter-row"
	schemeSeats   = "row-per-seat"
)

// Schemes of the peer.
func (Postgres) Schemes() []peer.Scheme {
	return []peer.Scheme{
		{Name: schemeCounter, Kind: peer.Naive, Text: "one statement counts the pool's row up unless it is full, and inserts the lease"},
		{Name: schemeSeats, Kind: peer.Expert, Text: "one statement writes the lease into a seat's row, found by FOR UPDATE SKIP LOCKED from a random seat on"},
	}
}

//go:embed counter_row.sql
var counterTables string

//go:embed row_per_seat.sql
var seatTables string

// statements are a scheme in SQL. A checkout or return is one statement and so
// one transaction, committed in one round trip.
type statements struct {
	tables string
	// fill makes the pools. $1: pools, $2: seats each.
	fill string
	// checkout returns (seat, lease), or no row. $1: pool, $2: user, $3: the seat
	// to look from.
	checkout string
	// giveBack returns a row if the lease was there. $1: pool, $2: seat, $3: lease.
	giveBack string
	// books lists (pool, seats counted as in use, leases).
	books string
	// searches: a checkout that found nothing looks again from seat 0.
	searches bool
}

var schemes = map[string]statements{
	schemeCounter: {
		tables: counterTables,
		fill:   `INSERT INTO pool (id, seats) SELECT id, $2::int FROM generate_series(0, $1::int - 1) id`,
		checkout: `WITH counted AS (
				UPDATE pool SET in_use = in_use + 1 WHERE id = $1::int AND in_use < seats RETURNING id
			)
			INSERT INTO lease (pool, user_name, issued_at, expires_at)
			SELECT id, $2::text, now(), now() + interval '1 hour' FROM counted
			RETURNING $3::int, id`,
		giveBack: `WITH ended AS (
				DELETE FROM lease WHERE id = $3::bigint AND pool = $1::int AND $2::int = $2::int RETURNING pool
			)
			UPDATE pool SET in_use = in_use - 1 FROM ended WHERE pool.id = ended.pool
			RETURNING 1`,
		books: `SELECT pool.id, in_use::bigint, coalesce(live.leases, 0)
			FROM pool LEFT JOIN (SELECT pool, count(*) AS leases FROM lease GROUP BY pool) live ON live.pool = pool.id`,
	},
	schemeSeats: {
		tables: seatTables,
		fill: `INSERT INTO seat (pool, n)
			SELECT pool, n FROM generate_series(0, $1::int - 1) pool, generate_series(0, $2::int - 1) n`,
		checkout: `WITH free AS MATERIALIZED (
				SELECT pool, n FROM seat WHERE pool = $1::int AND n >= $3::int AND lease IS NULL
				ORDER BY n LIMIT 1 FOR UPDATE SKIP LOCKED
			)
			UPDATE seat SET lease = nextval('lease_id'), user_name = $2::text, issued_at = now(), expires_at = now() + interval '1 hour'
			FROM free WHERE seat.pool = free.pool AND seat.n = free.n
			RETURNING seat.n, seat.lease`,
		giveBack: `UPDATE seat SET lease = NULL, user_name = NULL, issued_at = NULL, expires_at = NULL
			WHERE pool = $1::int AND n = $2::int AND lease = $3::bigint
			RETURNING 1`,
		books:    `SELECT pool, count(*) FILTER (WHERE lease IS NOT NULL), count(DISTINCT lease) FROM seat GROUP BY pool`,
		searches: true,
	},
}
