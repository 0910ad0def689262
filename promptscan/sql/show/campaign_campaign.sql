-- A campaign; its evidence is told apart from it.
SELECT * EXCLUDE (evidence, counter_evidence) FROM campaigns WHERE campaign_id = $1
