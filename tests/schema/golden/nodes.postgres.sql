-- query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Customer { name } ... on Staff { name } } }
-- 2 statements

-- nodes
SELECT t.id::text AS id, t.name
FROM crm_customer AS t
WHERE (t.id = ANY(?)) AND (t.merged_into_id IS NULL);

-- nodes
SELECT t.id::text AS id, t.name
FROM crm_staff AS t
WHERE t.id = ?;
