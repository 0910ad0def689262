-- The public views. Their names and columns are a contract (docs/tables.md): add, never rename or remove.
CREATE VIEW prompts AS
SELECT * EXCLUDE (event_key) FROM base_prompts;

-- Share of a text's characters that are disguised; promptscan/disguise.py says what counts and why it is combined so.
CREATE VIEW base_text_disguises AS
SELECT
  c.text_id, c.clean_id,
  1 - (1 - c.obfuscation) * (1 - coalesce(f.folded, 0)) * (1 - coalesce(f.decoded, 0)) AS obfuscation
FROM base_text_cleans c LEFT JOIN base_clean_folds f ON f.clean_id = c.clean_id;

CREATE VIEW texts AS
SELECT
  t.text_id, t.text, t.n_chars,
  s.n_prompts, s.n_accounts, s.first_ts, s.last_ts,
  c.obfuscation, d.duplicate_id, e.template_id, m.family_id, c.clean_id
FROM base_texts t
LEFT JOIN base_text_stats s USING (text_id)
LEFT JOIN base_text_disguises c USING (text_id)
LEFT JOIN base_members m ON m.clean_id = c.clean_id
LEFT JOIN base_duplicate_members d ON d.clean_id = c.clean_id
LEFT JOIN base_template_members e ON e.clean_id = c.clean_id;

CREATE VIEW accounts AS
WITH known AS (
  SELECT * EXCLUDE (loaded) FROM base_accounts
  QUALIFY row_number() OVER (PARTITION BY account_id ORDER BY loaded DESC) = 1
)
SELECT
  coalesce(s.account_id, k.account_id) AS account_id,
  coalesce(s.n_prompts, 0) AS n_prompts, s.first_ts, s.last_ts,
  k.* EXCLUDE (account_id)
FROM base_account_stats s FULL JOIN known k ON k.account_id = s.account_id;

CREATE VIEW entities AS
SELECT account_id, kind, value FROM base_entities
UNION
SELECT account_id, kind, value FROM base_account_entities;

CREATE VIEW duplicates AS
SELECT
  g.duplicate_id, min(c.text_id) FILTER (c.clean_id = g.medoid_clean_id) AS medoid_text_id,
  count(DISTINCT c.text_id) AS n_texts, count(*) AS n_prompts, count(DISTINCT p.account_id) AS n_accounts,
  least(any_value(g.worst_score), min(m.score)) AS worst_score
FROM base_duplicate_groups g
JOIN base_duplicate_members m USING (duplicate_id)
JOIN base_text_cleans c USING (clean_id)
JOIN base_prompts p USING (text_id)
GROUP BY g.duplicate_id, g.medoid_clean_id;

CREATE VIEW edges AS
SELECT
  a.text_id AS text_id, b.text_id AS other_text_id,
  ['copy', 'edit', 'contain', 'template', 'reword', 'translate'][e.kind + 1] AS kind, e.score
FROM base_edges e
JOIN base_cleans a ON a.clean_id = e.clean_a
JOIN base_cleans b ON b.clean_id = e.clean_b;

CREATE VIEW templates AS
WITH forms AS (FROM base_template_forms UNION ALL FROM base_frame_forms),
holders AS (
  SELECT clean_id, template_id, true AS own FROM base_template_members
  UNION ALL
  SELECT m.clean_id, a.ancestor_id, false FROM base_template_members m JOIN base_template_ancestors a USING (template_id)
)
SELECT
  f.template_id, f.template, f.n_slots,
  count(DISTINCT c.text_id) AS n_texts, count(*) AS n_prompts, count(DISTINCT p.account_id) AS n_accounts,
  any_value(f.compression) AS compression, any_value(n.parent_id) AS parent_id,
  count(DISTINCT c.text_id) FILTER (h.own) AS n_own
FROM forms f
JOIN holders h USING (template_id)
JOIN base_text_cleans c USING (clean_id)
JOIN base_prompts p USING (text_id)
LEFT JOIN base_template_parents n USING (template_id)
GROUP BY f.template_id, f.template, f.n_slots;

CREATE VIEW slot_values AS
SELECT v.template_id, v.slot, c.text_id, v.value
FROM base_slot_fills v JOIN base_text_cleans c USING (clean_id);

CREATE VIEW slots AS
SELECT
  t.template_id, t.slot, any_value(t.type) AS type,
  count(DISTINCT v.value) AS n_values, entropy(v.value) AS entropy
FROM base_slot_types t
LEFT JOIN base_slot_fills v ON v.template_id = t.template_id AND v.slot = t.slot
GROUP BY t.template_id, t.slot
UNION ALL
SELECT template_id, slot, type, n_values, entropy FROM base_frame_slots;

-- How many texts of a family each bank knows, and how well.
CREATE VIEW family_banks AS
SELECT
  m.family_id, b.bank, b.kind, count(DISTINCT c.text_id) AS n_known,
  n_known / any_value(s.n_texts) AS share, max(h.score) AS best_score
FROM base_bank_hits h
JOIN base_banks b USING (bank_digest)
JOIN base_members m USING (clean_id)
JOIN base_text_cleans c USING (clean_id)
LEFT JOIN base_family_stats s USING (family_id)
GROUP BY m.family_id, b.bank, b.kind;

-- Shares of a family's texts that any benign and any bad bank knows.
CREATE VIEW base_family_marks AS
SELECT
  m.family_id,
  count(DISTINCT c.text_id) FILTER (b.kind = 'benign') / any_value(s.n_texts) AS benign_share,
  count(DISTINCT c.text_id) FILTER (b.kind = 'bad') / any_value(s.n_texts) AS bad_share
FROM base_bank_hits h
JOIN base_banks b USING (bank_digest)
JOIN base_members m USING (clean_id)
JOIN base_text_cleans c USING (clean_id)
LEFT JOIN base_family_stats s USING (family_id)
GROUP BY m.family_id;

-- What benign banks know counts a tenth in the ranking: nothing is hidden, and a campaign that uses a public template still
-- comes up when ten times as many accounts share it (docs/decisions/010-banks.md).
CREATE VIEW families AS
SELECT
  f.family_id, f.label, f.exemplar_text_id,
  s.n_templates, s.n_texts, s.n_prompts, s.n_accounts, s.first_ts, s.last_ts,
  c.capability, s.score * (1 - 0.9 * coalesce(k.benign_share, 0)) AS score, f.reuse, f.frame, s.effective_accounts, f.kind,
  CASE WHEN c.capability <> 'other' THEN c.percentile END AS percentile,
  coalesce(k.benign_share, 0) AS benign_share, coalesce(k.bad_share, 0) AS bad_share
FROM base_family_names f
LEFT JOIN base_family_stats s USING (family_id)
LEFT JOIN base_family_marks k USING (family_id)
LEFT JOIN (FROM base_capabilities WHERE rank = 1) c USING (family_id);

CREATE VIEW family_members AS
SELECT m.family_id, c.text_id, m.probability
FROM base_members m JOIN base_text_cleans c USING (clean_id);

-- The clusters of the last clustering of all texts, and every family on the one where it stands. Families that came later, and
-- all that stand nowhere, hang on the root. A store that was built before trees were kept has no rows.
CREATE VIEW family_tree AS
WITH kept AS (
  SELECT n.node, n.parent, n.birth, n.size, f.family_id
  FROM base_family_nodes n LEFT JOIN base_family_names f USING (family_id)
  WHERE n.birth IS NOT NULL OR f.family_id IS NOT NULL
)
FROM kept
UNION ALL
SELECT
  (SELECT max(node) FROM base_family_nodes) + row_number() OVER (ORDER BY l.family_id[3:]::BIGINT) AS node,
  NULL AS parent, NULL AS birth, l.size, l.family_id
FROM (SELECT family_id, count(*) AS size FROM base_members ANTI JOIN kept USING (family_id) GROUP BY family_id) l
WHERE EXISTS (FROM base_family_nodes);

CREATE VIEW family_events AS FROM base_family_events;

CREATE VIEW family_accounts AS FROM base_family_accounts;

CREATE VIEW family_days AS FROM base_family_days;

CREATE VIEW banks AS
SELECT bank, kind, n_texts FROM base_banks;

CREATE VIEW bank_hits AS
SELECT c.text_id, b.bank, b.kind, h.score
FROM base_bank_hits h
JOIN base_banks b USING (bank_digest)
JOIN base_text_cleans c USING (clean_id);

CREATE VIEW capabilities AS FROM base_capabilities;

CREATE VIEW family_evidence AS FROM base_family_evidence;

CREATE VIEW family_axes AS FROM base_family_axes;

CREATE VIEW campaigns AS FROM base_campaigns;

CREATE VIEW campaign_accounts AS FROM base_campaign_accounts;

CREATE VIEW campaign_families AS FROM base_campaign_families;

CREATE VIEW campaign_merges AS FROM base_campaign_merges;

CREATE VIEW campaign_entities AS FROM base_campaign_entities;

CREATE VIEW campaign_days AS FROM base_campaign_days;

-- campaign_now: the campaign that an alert's campaign is, or became part of; NULL when it is none any more
CREATE VIEW alerts AS
SELECT a.*, c.campaign_id AS campaign_now
FROM base_alerts a
LEFT JOIN base_campaign_merges m USING (campaign_id)
LEFT JOIN base_campaigns c ON c.campaign_id = coalesce(m.into_id, a.campaign_id);

CREATE VIEW alert_campaigns AS FROM base_alert_campaigns;

CREATE VIEW alert_growth AS FROM base_alert_growth;

CREATE VIEW runs AS FROM base_runs;

CREATE VIEW quarantine AS
SELECT source, position, reason, sample FROM base_quarantine;
