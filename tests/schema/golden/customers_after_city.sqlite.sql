-- query ($after: String) { customers(first: 10, after: $after, orderBy: [{field: CITY}]) { nodes { name } } }
-- 1 statement

-- customers
SELECT t.id, t.name
FROM crm_customer AS t
WHERE (t.merged_into_id IS NULL) AND (((t.city, t.id) > (?, ?)) OR (t.city IS NULL))
ORDER BY t.city NULLS LAST, t.id
LIMIT ?;
