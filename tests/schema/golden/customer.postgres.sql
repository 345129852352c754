-- query ($id: ID!) { customer(id: $id) { name email } }
-- 1 statement

-- customer
SELECT t.id::text AS id, t.name, t.email
FROM crm_customer AS t
WHERE (t.id = ?) AND (t.merged_into_id IS NULL);
