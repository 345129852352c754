-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: TITLE, direction: DESC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT t.id, t.title, t.title AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE (t.title, t.id) < (?, ?)
ORDER BY t.title DESC, t.id DESC
LIMIT ?;
