-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: PUBLISHED_AT, direction: DESC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json, t.published_at AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE (t.published_at, t.id) < (?, ?)
ORDER BY t.published_at DESC, t.id DESC
LIMIT 10;
