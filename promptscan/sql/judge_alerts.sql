-- Alerts against the truth. `truth_rows`: prompt_id, campaign_id, label, account_role. `snapshots`: snapshot, ts (newest log time of a build).
-- `members`: snapshot, alert_id, account_id (what an alert's campaign held then). `days`: day. Cover traffic makes a member too. Accounts
-- that have another role and carry campaign prompts for others (relays) are neither right nor wrong to name.
CREATE TEMP TABLE true_accounts AS
SELECT
  t.campaign_id, p.account_id, min(p.ts) AS since, bool_and(coalesce(t.account_role, 'campaign') <> 'campaign') AS carrier
FROM truth_rows t JOIN prompts p USING (prompt_id)
WHERE t.campaign_id IS NOT NULL GROUP BY ALL;

CREATE TEMP TABLE true_campaigns AS
SELECT
  t.campaign_id, count(*) AS prompts,
  count(DISTINCT p.account_id) FILTER (coalesce(t.account_role, 'campaign') = 'campaign') AS accounts,
  coalesce(min(p.ts) FILTER (coalesce(t.label, '') <> 'campaign_cover'), min(p.ts)) AS first_ts
FROM truth_rows t JOIN prompts p USING (prompt_id)
WHERE t.campaign_id IS NOT NULL GROUP BY ALL;

CREATE TEMP TABLE sizes AS
SELECT snapshot, alert_id, count(*) AS n FROM members GROUP BY ALL;

-- an account is the campaign's from its first prompt for it on
CREATE TEMP TABLE owned AS
SELECT m.snapshot, m.alert_id, m.account_id, a.campaign_id
FROM members m JOIN snapshots s USING (snapshot) JOIN true_accounts a USING (account_id)
WHERE a.since IS NULL OR s.ts IS NULL OR a.since <= s.ts;

CREATE TEMP TABLE correct AS
SELECT o.snapshot, o.alert_id, o.campaign_id
FROM (SELECT snapshot, alert_id, campaign_id, count(*) AS n FROM owned GROUP BY ALL) o
JOIN sizes z USING (snapshot, alert_id)
WHERE o.n >= getvariable('majority') * z.n;

-- the snapshot of the build in which an alert fired: the first that names accounts, else by time
CREATE TEMP TABLE fired AS
SELECT a.alert_id, a.fired_at, coalesce(n.snapshot, t.snapshot, (SELECT max(snapshot) FROM snapshots)) AS snapshot
FROM alerts a
LEFT JOIN (SELECT alert_id, min(snapshot) AS snapshot FROM members GROUP BY alert_id) n USING (alert_id)
LEFT JOIN (
  SELECT a.alert_id, min(s.snapshot) AS snapshot FROM alerts a JOIN snapshots s ON s.ts >= a.fired_at GROUP BY a.alert_id
) t USING (alert_id);

-- false when it fired: the accounts it named were mostly no campaign's; mixed: of several, of none of them mostly
CREATE TEMP TABLE alert_verdicts AS
SELECT
  f.alert_id, k.alert_id IS NULL AS wrong,
  k.alert_id IS NULL AND coalesce(o.n >= getvariable('majority') * z.n, false) AS mixed
FROM fired f
LEFT JOIN (SELECT DISTINCT snapshot, alert_id FROM correct) k USING (snapshot, alert_id)
LEFT JOIN (SELECT snapshot, alert_id, count(DISTINCT account_id) AS n FROM owned GROUP BY ALL) o USING (snapshot, alert_id)
LEFT JOIN sizes z USING (snapshot, alert_id);

CREATE TEMP TABLE detections AS
SELECT campaign_id, arg_min(alert_id, (coalesce(moment, TIMESTAMP 'infinity'), alert_id)) AS alert_id, min(moment) AS detected_at
FROM (
  SELECT c.campaign_id, c.alert_id, CASE WHEN c.snapshot <= f.snapshot THEN f.fired_at ELSE s.ts END AS moment
  FROM (SELECT campaign_id, alert_id, min(snapshot) AS snapshot FROM correct GROUP BY ALL) c
  JOIN fired f USING (alert_id) JOIN snapshots s ON s.snapshot = c.snapshot
)
GROUP BY campaign_id;

-- what was known a number of days after a campaign's first prompt, where the log reaches into that day; day NULL: at the end
CREATE TEMP TABLE moments AS
SELECT c.campaign_id, d.day, max(s.snapshot) AS snapshot
FROM true_campaigns c CROSS JOIN (SELECT day FROM days UNION ALL SELECT NULL) d CROSS JOIN snapshots s
WHERE d.day IS NULL
  OR s.ts <= c.first_ts + to_days(d.day) AND (SELECT max(ts) FROM snapshots) > c.first_ts + to_days(d.day - 1)
GROUP BY ALL;

CREATE TEMP TABLE day_scores AS
SELECT
  campaign_id, day, count(*) FILTER (active) AS active, count(*) FILTER (flagged) AS flagged,
  count(*) FILTER (active AND flagged) AS hits
FROM (
  SELECT campaign_id, day, account_id, bool_or(active) AS active, bool_or(flagged) AS flagged
  FROM (
    SELECT m.campaign_id, m.day, a.account_id, true AS active, false AS flagged
    FROM moments m JOIN snapshots s USING (snapshot) JOIN true_accounts a USING (campaign_id)
    WHERE NOT a.carrier AND (a.since IS NULL OR s.ts IS NULL OR a.since <= s.ts)
    UNION ALL
    SELECT m.campaign_id, m.day, x.account_id, false, true
    FROM moments m JOIN correct k USING (snapshot, campaign_id) JOIN members x USING (snapshot, alert_id)
    ANTI JOIN (FROM true_accounts WHERE carrier) c ON c.campaign_id = m.campaign_id AND c.account_id = x.account_id
  )
  GROUP BY ALL
)
GROUP BY campaign_id, day;

-- every account that any alert names at the end, against every account of any campaign
CREATE TEMP TABLE account_total AS
SELECT
  NULL::INTEGER AS day, count(*) FILTER (active) AS active, count(*) FILTER (flagged) AS flagged,
  count(*) FILTER (active AND flagged) AS hits
FROM (
  SELECT account_id, bool_or(active) AS active, bool_or(flagged) AS flagged
  FROM (
    SELECT account_id, true AS active, false AS flagged FROM true_accounts WHERE NOT carrier
    UNION ALL
    SELECT account_id, false, true FROM members ANTI JOIN (FROM true_accounts WHERE carrier) c USING (account_id)
    WHERE snapshot = (SELECT max(snapshot) FROM snapshots)
  )
  GROUP BY account_id
)
