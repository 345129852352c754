-- query ($id: ID!) { node(id: $id) { ... on Segment { members { totalCount } } } }
-- 2 statements

-- node
SELECT t.id::text AS id, t.condition
FROM crm_segment AS t
WHERE t.id = ?;

-- node.members
SELECT *
FROM (SELECT 0 AS _parent, COUNT(*) AS n
  FROM crm_customer AS t
  WHERE (t.city = ?) AND (t.merged_into_id IS NULL)) AS s0;
