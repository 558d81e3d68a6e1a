-- SPDX-License-Identifier: MIT
\pset pager off
create table item (id int primary key, name text, amount numeric(12, 2), kind int, details jsonb, tags text[], body text);
insert into item
	select i, 'item ' || i * 7919 % 12007, (i * 31 % 10007) / 7.0, i % 97,
		jsonb_build_object('n', i, 'list', jsonb_build_array(i % 3, i % 5, md5(i::text))),
		array['t' || i % 11, 't' || i % 13], repeat(md5(i::text), i % 60)
	from generate_series(1, 12000) i;
create index on item (name);
create index on item using gin (details);
create index on item using gin (tags);
create index on item using gist (int4range(id, id + 10));
analyze item;

select kind, count(*), sum(amount), min(name), sum(length(body)), count(distinct details -> 'list' -> 0)
	from item group by kind order by kind;
select count(*) from item where details @> '{"list": [1, 2]}';
select count(*) from item where tags && array['t3', 't12'];
select count(*) from item where int4range(id, id + 10) && int4range(100, 200);
select id, rank() over (partition by kind order by amount desc, id) as place,
	string_agg(name, ',') over (order by id rows between 3 preceding and current row)
	from item where id % 1500 = 0 order by id;
select md5(string_agg(name || body, '|' order by body, id)) from item;
select md5(jsonb_agg(details order by id)::text) from item;
select count(*) from item a join item b using (name) where a.kind < b.kind + 5;
select sum(length(regexp_replace(body, '([0-9])([a-f])', '<\2\1>', 'g'))) from item where id < 4000;
with recursive tree (id, depth) as (
	select 1::bigint, 0 union all select id * 2 + s, depth + 1 from tree, generate_series(0, 1) s where depth < 12
) select depth, count(*), sum(id) from tree group by depth order by depth;
select xmlserialize(content xmlelement(name root, xmlagg(xmlelement(name item, xmlattributes(id), name) order by id)) as text)
	from item where id < 10;
select count(*), ts_rank(to_tsvector('english', 'several words for servers'), to_tsquery('word & server')) > 0
	from item where to_tsvector('simple', body) @@ to_tsquery('simple', md5('55') || ' | ' || md5('56'));

set max_parallel_workers_per_gather = 2;
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0;
set min_parallel_table_scan_size = 0;
select count(*), sum(amount), max(body) = repeat(md5('11999'), 59) from item where length(body) > 5;
select a.kind, count(*) from item a join item b on a.id = b.id + 1 where a.name > b.name group by 1 order by 2 desc, 1 limit 10;
set jit = on;
set jit_above_cost = 0;
set jit_inline_above_cost = 0;
set jit_optimize_above_cost = 0;
select kind % 7, sum(amount * 2 + kind), count(*) filter (where length(name) > 8) from item group by 1 order by 1;
reset all;

create function churn (rounds int) returns bigint language plpgsql as $$
declare
	total bigint := 0;
	words text[];
begin
	for i in 1..rounds loop
		begin
			select array_agg(name order by id) into words from item where id % 100 = i % 100;
			total := total + length(array_to_string(words, ' '));
			if i % 10 = 0 then
				perform 1 / (i % 10);
			end if;
		exception when division_by_zero then
			total := total + 1;
		end;
	end loop;
	return total;
end $$;
select churn(60);
begin;
update item set body = body || 'x' where id % 3 = 0;
savepoint s;
delete from item where id % 2 = 0;
rollback to s;
declare c cursor for select id, name from item order by name, id;
move 2000 in c;
fetch 3 from c;
commit;
copy (select * from item where id % 3000 = 0 order by id) to stdout (format csv);
vacuum full item;
reindex table item;
select count(*), sum(length(body)) from item;
