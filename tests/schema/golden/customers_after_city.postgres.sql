-- query ($after: String) { customers(first: 10, after: $after, orderBy: [{field: CITY}]) { nodes { name } } }
-- 1 statement

-- customers
SELECT t.id::text AS id, t.name
FROM crm_customer AS t
WHERE (t.merged_into_id IS NULL) AND (((t.city COLLATE "C", t.id) > (?, ?)) OR (t.city COLLATE "C" IS NULL))
ORDER BY t.city COLLATE "C", t.id
LIMIT ?;
