-- query ($after: String) { customers(first: 10, after: $after, orderBy: [{field: STAGE}]) { nodes { name } } }
-- 1 statement

-- customers
SELECT t.id, t.name
FROM crm_customer AS t
WHERE (t.merged_into_id IS NULL) AND ((t.stage, t.id) > (?, ?))
ORDER BY t.stage, t.id
LIMIT ?;
