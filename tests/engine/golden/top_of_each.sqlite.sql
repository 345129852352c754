-- { writers(first: 10) { nodes { catalogue(first: 2) { nodes { title } } } } }
-- 2 statements

-- writers
SELECT t.id
FROM lib_author AS t
WHERE 1 = 1
ORDER BY t.id
LIMIT ?;

-- writers.nodes.catalogue
SELECT t.id, t.title, g.key AS _parent
FROM json_each(?) AS g
CROSS JOIN lib_book AS t ON t.rowid IN (SELECT t.rowid
  FROM lib_book AS t
  WHERE t.author_id = g.value AND (1 = 1)
  ORDER BY t.published_at DESC NULLS FIRST, t.id DESC
  LIMIT ?)
ORDER BY t.published_at DESC NULLS FIRST, t.id DESC;
