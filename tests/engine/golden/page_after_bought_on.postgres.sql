-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: BOUGHT_ON, direction: ASC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json, t.bought_on AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE (t.bought_on, t.id) > (?, ?)
ORDER BY t.bought_on, t.id
LIMIT 10;
