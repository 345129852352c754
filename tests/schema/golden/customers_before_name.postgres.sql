-- query ($before: String) { customers(last: 10, before: $before) {
--   nodes { name } pageInfo { hasPreviousPage startCursor } } }
-- 1 statement

-- customers
SELECT '{"name":' || to_json(t.name COLLATE "C")::text || '}' AS _json, t.sort_name COLLATE "C" AS _o0, t.id AS _o1
FROM crm_customer AS t
WHERE (t.merged_into_id IS NULL) AND ((t.sort_name COLLATE "C", t.id) < (?, ?))
ORDER BY t.sort_name COLLATE "C" DESC, t.id DESC
LIMIT 11;
