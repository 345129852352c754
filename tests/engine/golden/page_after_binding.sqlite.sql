-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: BINDING, direction: ASC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT t.id, t.title, t.binding AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE ((t.binding, t.id) > (?, ?)) OR (t.binding IS NULL)
ORDER BY t.binding NULLS LAST, t.id
LIMIT ?;
