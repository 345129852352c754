-- { customers(first: 10, search: "name 01500") { nodes { name } } }
-- 1 statement

-- customers
SELECT t.id, t.name
FROM crm_customer AS t
WHERE (t.id IN (SELECT k.customer_id
    FROM crm_customer_search AS s JOIN crm_customer_search_key AS k ON k.number = s.rowid
    WHERE crm_customer_search MATCH ?)) AND (t.merged_into_id IS NULL)
ORDER BY t.sort_name, t.id
LIMIT ?;
