CREATE SEQUENCE lease_id;

-- A seat carries its lease. Only the primary key is indexed, and pages have
-- room, so that no update touches an index.
CREATE TABLE seat (
  pool       int,
  n          int,
  lease      bigint,
  user_name  text,
  issued_at  timestamptz,
  expires_at timestamptz,
  PRIMARY KEY (pool, n)
) WITH (fillfactor = 40);
