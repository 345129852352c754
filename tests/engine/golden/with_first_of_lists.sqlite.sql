-- { writers(first: 10) { nodes { latest: catalogue(first: 1) { nodes { title } } life { born } } } }
-- 1 statement

-- writers
SELECT x.id, j0.id AS _j0_id, j0.title AS _j0_title, j1.id AS _j1_id, j1.born AS _j1_born
FROM (SELECT t.id, t.id AS _o0
  FROM lib_author AS t
  WHERE 1 = 1) AS x LEFT JOIN lib_book AS j0 ON j0.rowid = (SELECT t.rowid
  FROM lib_book AS t
  WHERE t.author_id = x.id AND (1 = 1)
  ORDER BY t.published_at DESC NULLS FIRST, t.id DESC
  LIMIT 1) LEFT JOIN lib_author AS j1 ON j1.rowid = (SELECT t.rowid
  FROM lib_author AS t
  WHERE t.id = x.id AND (t.born IS NOT NULL)
  ORDER BY t.id
  LIMIT 1)
ORDER BY _o0
LIMIT ?;
