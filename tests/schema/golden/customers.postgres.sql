-- { customers(first: 10) { nodes { name email } } }
-- 1 statement

-- customers
SELECT t.id::text AS id, t.name, t.email
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT ?;
