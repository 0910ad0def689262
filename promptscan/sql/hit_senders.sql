-- How many accounts sent any of the texts of a hit (`head`).
SELECT w.head, count(DISTINCT a.account_id)
FROM /* accounts */ a JOIN wanted w USING (text_id)
WHERE a.text_id IN (/* ids */)
GROUP BY w.head
