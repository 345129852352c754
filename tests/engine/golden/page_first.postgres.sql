-- { books(first: 10, orderBy: [{field: TITLE, direction: ASC}]) { nodes { title } } }
-- 1 statement

-- books
SELECT t.id::text AS id, t.title
FROM lib_book AS t
WHERE 1 = 1
ORDER BY t.title COLLATE "C", t.id
LIMIT ?;
