-- What a list says of campaigns (table `wanted`) beyond their row: prompts and accounts by day, and the alarm.
WITH daily AS (
  SELECT campaign_id, list({'day': "day", 'n_prompts': n_prompts, 'n_accounts': n_accounts} ORDER BY "day") AS days
  FROM campaign_days SEMI JOIN wanted USING (campaign_id)
  WHERE "day" IS NOT NULL
  GROUP BY campaign_id
),
fired AS (
  SELECT campaign_id, alert_id, fired_at
  FROM alerts SEMI JOIN wanted USING (campaign_id)
  QUALIFY row_number() OVER (PARTITION BY campaign_id ORDER BY fired_at NULLS LAST, alert_id) = 1
)
SELECT w.campaign_id, f.alert_id, f.fired_at, coalesce(d.days, []) AS days
FROM wanted w LEFT JOIN daily d USING (campaign_id) LEFT JOIN fired f USING (campaign_id)
