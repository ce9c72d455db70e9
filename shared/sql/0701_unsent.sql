-- migrate:up
-- What is committed and not on the broker yet, what the broker has, and what it refuses for good. A row of
-- the journal is written once and never touched again; these are narrow.
create table unsent (
    seq bigint primary key
) with (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000,
    vacuum_truncate = off
);
create table held (
    seq bigint primary key,
    stream text not null,
    version int not null,
    cause text not null
);
create index held_stream on held (stream, version);

-- Records that went together: the first of `seqs` is at "offset", each at the next one. A negative
-- "offset": the broker has them, and did not say where.
create table sent (
    topic_id text not null,
    partition int not null,
    "offset" bigint not null,
    seqs bigint[] not null check (cardinality(seqs) between 1 and 1000),
    at timestamptz not null default now()
);
create index sent_place on sent (topic_id, partition, "offset");

-- The place of each record, for tools.
create view place as
select s.topic_id, s.partition, u.seq,
       case when s."offset" < 0 then s."offset" else s."offset" + u.n - 1 end as "offset", s.at as sent_at
  from sent s, unnest(s.seqs) with ordinality u (seq, n);

insert into held select seq, stream, version, held from journal where held is not null;
insert into unsent select seq from journal where published_at is null and held is null;
insert into sent
select topic_id, partition, min("offset"), array_agg(seq order by "offset", seq), max(published_at)
  from (select *, "offset" - row_number() over (
                      partition by topic_id, partition order by "offset", seq) as run
          from journal where published_at is not null) j
 group by topic_id, partition, "offset" < 0, case when "offset" < 0 then seq else run end, "offset" / 500;

drop index journal_unpublished, journal_published, journal_held;
alter table journal
    drop column published_at, drop column topic_id, drop column partition, drop column "offset",
    drop column held;

-- migrate:down
alter table journal
    add column published_at timestamptz, add column topic_id text, add column partition int,
    add column "offset" bigint, add column held text;
update journal j set published_at = p.sent_at, topic_id = p.topic_id, partition = p.partition,
                     "offset" = p."offset"
  from place p where j.seq = p.seq;
update journal j set held = h.cause from held h where j.seq = h.seq;
create index journal_unpublished on journal (seq) where published_at is null;
create index journal_published on journal (topic_id, partition, "offset")
    where published_at is not null;
create index journal_held on journal (stream, version) where held is not null;
drop view place;
drop table sent, held, unsent;
