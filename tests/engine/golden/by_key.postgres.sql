-- query ($id: ID!) { node(id: $id) { ... on Book { title year } } }
-- 1 statement

-- node
SELECT t.id::text AS id, t.author_id, t.title, t.year, t.price, t.published_at, t.bought_on, t.lent, t.binding, t.facts, t.reading_seconds
FROM lib_book AS t
WHERE t.id = ?;
