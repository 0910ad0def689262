-- What a family may probe, likeliest first, and whether that is convincing.
SELECT
  capability, percentile,
  rank < (SELECT rank FROM capabilities WHERE family_id = $1 AND capability = 'other') AS convincing
FROM capabilities
WHERE family_id = $1
ORDER BY rank
LIMIT 4
