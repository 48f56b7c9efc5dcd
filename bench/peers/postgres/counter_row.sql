-- Room on the page for a row's next versions, so that an update touches no index.
CREATE TABLE pool (
  id     int PRIMARY KEY,
  seats  int NOT NULL,
  in_use int NOT NULL DEFAULT 0,
  CHECK (in_use BETWEEN 0 AND seats)
) WITH (fillfactor = 20);

CREATE TABLE lease (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pool       int NOT NULL,
  user_name  text NOT NULL,
  issued_at  timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
