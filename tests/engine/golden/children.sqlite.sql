-- { writers(first: 10) { nodes { books { title } } } }
-- 2 statements

-- writers
SELECT t.id
FROM lib_author AS t
WHERE 1 = 1
ORDER BY t.id
LIMIT ?;

-- writers.nodes.books
SELECT t.id, t.title, t.author_id AS _parent
FROM lib_book AS t
WHERE t.author_id IN (SELECT value
  FROM json_each(?))  ORDER BY t.title NULLS LAST, t.id;
