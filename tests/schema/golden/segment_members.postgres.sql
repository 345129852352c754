-- query ($id: ID!) { node(id: $id) { ... on Segment { members(first: 5) { nodes { name } } } } }
-- 2 statements

-- node
SELECT t.id::text AS id, t.condition
FROM crm_segment AS t
WHERE t.id = ?;

-- node.members
SELECT *
FROM (SELECT *
  FROM (SELECT t.id::text AS id, t.owner_id, t.backup_id, t.merged_into_id, t.version, t.kind, t.stage, t.name, t.email, t.phone, t.company, t.city, t.country, t.attributes, t.source, t.reference, t.locale, t.time_zone, t.confidential, t.created_at, t.updated_at, t.converted_at, t.former_at, t.returned_at, t.archived_at, t.erased_at, t.sort_name COLLATE "C" AS _o0, t.id AS _o1, 0 AS _parent
    FROM crm_customer AS t
    WHERE (t.city = ?) AND (t.merged_into_id IS NULL)
    ORDER BY t.sort_name COLLATE "C", t.id
    LIMIT ?) AS s0) AS u
ORDER BY _o0 COLLATE "C", _o1;
