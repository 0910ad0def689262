-- What an account has that others may share.
SELECT kind, value FROM entities WHERE account_id = $1 ORDER BY ALL
