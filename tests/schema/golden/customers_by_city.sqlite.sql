-- { customers(first: 10, orderBy: [{field: CITY}]) { nodes { name } } }
-- 1 statement

-- customers
SELECT t.id, t.name
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.city NULLS LAST, t.id
LIMIT ?;
