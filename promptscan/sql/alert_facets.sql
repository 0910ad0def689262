-- What a list says of alarms (table `wanted`) beyond their row: their campaign as it is now, and how it grew.
WITH grown AS (
  SELECT
    alert_id,
    list({'ts': ts, 'n_accounts': n_accounts, 'n_prompts': n_prompts, 'n_families': n_families} ORDER BY ts NULLS LAST, n_prompts)
      AS growth
  FROM alert_growth SEMI JOIN wanted USING (alert_id)
  GROUP BY alert_id
),
current AS (
  SELECT a.alert_id, c.n_accounts, c.n_prompts, c.first_ts, c.last_ts, c.label, c.capability, c.counter_evidence
  FROM alerts a JOIN campaigns c ON c.campaign_id = a.campaign_now
)
SELECT
  w.alert_id, c.n_accounts AS n_accounts_now, c.n_prompts AS n_prompts_now, c.first_ts, c.last_ts, c.label, c.capability,
  coalesce(g.growth, []) AS growth, c.counter_evidence::VARCHAR AS counter_evidence
FROM wanted w LEFT JOIN current c USING (alert_id) LEFT JOIN grown g USING (alert_id)
