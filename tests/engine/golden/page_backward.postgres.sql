-- query ($before: String) { books(last: 10, before: $before, orderBy: [{field: TITLE}]) {
--   nodes { title } pageInfo { startCursor hasPreviousPage } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json, t.title COLLATE "C" AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE (t.title COLLATE "C", t.id) < (?, ?)
ORDER BY t.title COLLATE "C" DESC, t.id DESC
LIMIT 11;
