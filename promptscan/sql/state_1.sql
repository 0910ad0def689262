-- What people write, version 1: banks of examples, and who changed what.
CREATE TABLE banks (
  bank TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('benign', 'bad')),
  note TEXT NOT NULL,
  added_at TEXT NOT NULL,
  changed_at TEXT NOT NULL,
  n_texts INTEGER NOT NULL,
  digest TEXT NOT NULL
);
CREATE TABLE bank_texts (
  bank TEXT NOT NULL REFERENCES banks (bank) ON DELETE CASCADE,
  digest BLOB NOT NULL,
  clean TEXT NOT NULL,
  PRIMARY KEY (bank, digest)
);
CREATE TABLE audit (
  audit_id INTEGER PRIMARY KEY,
  ts TEXT NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  n INTEGER NOT NULL,
  details TEXT NOT NULL
);
