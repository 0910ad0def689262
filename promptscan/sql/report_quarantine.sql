-- Why rows were set aside, commonest reason first, each with its first row.
SELECT
    reason, count(*) AS n_rows, count(DISTINCT source) AS n_sources,
    min(source) AS source,
    arg_min("position", (source, "position")) AS "position",
    "left"(arg_min(sample, (source, "position")), 400) AS sample
FROM quarantine
GROUP BY reason
ORDER BY n_rows DESC, reason
LIMIT $top
