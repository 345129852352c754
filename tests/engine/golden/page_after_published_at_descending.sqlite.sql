-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: PUBLISHED_AT, direction: DESC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT t.id, t.title, t.published_at AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE (t.published_at, t.id) < (?, ?)
ORDER BY t.published_at DESC NULLS FIRST, t.id DESC
LIMIT ?;
