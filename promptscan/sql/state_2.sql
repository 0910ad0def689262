-- What people write, version 2: verdicts with their history, and indicators that others shared.
-- subject: F-…, C-…, A-…, or account:ID. The last row of a subject counts; 'withdrawn' takes a verdict back.
CREATE TABLE verdicts (
  verdict_id INTEGER PRIMARY KEY,
  ts TEXT NOT NULL,
  actor TEXT NOT NULL,
  subject TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('confirmed', 'benign', 'unsure', 'withdrawn')),
  note TEXT NOT NULL
);
CREATE INDEX verdicts_by_subject ON verdicts (subject, verdict_id);
-- Which texts of a bank stand there because of the verdict on a subject.
CREATE TABLE verdict_texts (
  subject TEXT NOT NULL,
  bank TEXT NOT NULL,
  digest BLOB NOT NULL,
  PRIMARY KEY (subject, bank, digest)
) WITHOUT ROWID;
CREATE INDEX verdict_texts_by_digest ON verdict_texts (bank, digest);
-- A shared file of indicators, as it was checked: the document of docs/schemas/indicators.schema.json.
CREATE TABLE indicator_sets (
  name TEXT PRIMARY KEY,
  added_at TEXT NOT NULL,
  actor TEXT NOT NULL,
  n_templates INTEGER NOT NULL,
  digest TEXT NOT NULL,
  document TEXT NOT NULL
);
