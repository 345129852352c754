-- query ($before: String) { books(last: 10, before: $before, orderBy: [{field: TITLE}]) {
--   nodes { title } pageInfo { startCursor hasPreviousPage } } }
-- 1 statement

-- books
SELECT t.id, t.title, t.title AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE (t.title, t.id) < (?, ?)
ORDER BY t.title DESC, t.id DESC
LIMIT ?;
