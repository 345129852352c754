-- { customer(source: "shop", reference: "r7") { name } }
-- 1 statement

-- customer
SELECT t.id::text AS id, t.name
FROM crm_customer AS t
WHERE (t.source = ? AND t.reference = ?) AND (t.merged_into_id IS NULL)  ORDER BY t.id;
