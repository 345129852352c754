-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: BINDING, direction: ASC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json, t.binding COLLATE "C" AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE ((t.binding COLLATE "C", t.id) > (?, ?)) OR (t.binding COLLATE "C" IS NULL)
ORDER BY t.binding COLLATE "C", t.id
LIMIT 10;
