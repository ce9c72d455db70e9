-- migrate:up
-- Documents that withdrew something and are not confirmed: to be counted only. Staff are told from the
-- journal, where it is exact at every moment; counting there would read all that was ever withdrawn.
create table retraction (
    agency text not null,
    case_id uuid not null,
    document int not null,
    since timestamptz not null,
    overdue boolean not null default false,
    primary key (agency, case_id, document)
);
insert into retraction (agency, case_id, document, since)
select j.data ->> 'agency', (j.data ->> 'case')::uuid, (j.data ->> 'document')::int, j.at
  from journal j
 where j.type = 'jp.tsunagu.disclosure.changed.v1'
   and (j.data ->> 'cause' = 'content_ended' or jsonb_array_length(j.data -> 'withdrawn') > 0)
   and not exists (select from journal c
                    where c.stream = j.stream and c.type = 'jp.tsunagu.disclosure.retraction_confirmed.v1'
                      and (c.data ->> 'document')::int >= (j.data ->> 'document')::int);
update retraction r set overdue = true
  from journal o
 where o.stream = 'disclosure/' || r.agency || '/' || r.case_id
   and o.type = 'jp.tsunagu.disclosure.retraction_overdue.v1'
   and (o.data ->> 'document')::int = r.document;

-- migrate:down
drop table retraction;
