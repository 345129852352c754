-- query ($before: String) { books(last: 10, before: $before, orderBy: [{field: TITLE}]) {
--   nodes { title } pageInfo { startCursor hasPreviousPage } } }
-- 1 statement

-- books
SELECT t.id::text AS id, t.title, t.title COLLATE "C" AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE (t.title COLLATE "C", t.id) < (?, ?)
ORDER BY t.title COLLATE "C" DESC, t.id DESC
LIMIT ?;
