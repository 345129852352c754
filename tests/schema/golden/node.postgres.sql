-- query ($id: ID!) { node(id: $id) { id ... on Customer { name } } }
-- 1 statement

-- node
SELECT t.id::text AS id, t.name
FROM crm_customer AS t
WHERE (t.id = ?) AND (t.merged_into_id IS NULL);
