-- { books(first: 10, orderBy: [{field: TITLE}]) { nodes { a: author { name } b: author { born } } } }
-- 2 statements

-- books
SELECT t.id::text AS id, t.author_id
FROM lib_book AS t
WHERE 1 = 1
ORDER BY t.title COLLATE "C", t.id
LIMIT 10;

-- books.nodes.a
SELECT t.id::text AS id, t.name, t.born
FROM lib_author AS t
WHERE t.id = ?;
