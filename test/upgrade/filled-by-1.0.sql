-- A database as version 1.0.0 has left it; made by fill-1.0.pl.
CREATE COLLATION public.any_case (provider = icu, deterministic = false, locale = 'und-u-ks-level2');
ALTER COLLATION public.any_case OWNER TO postgres;
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS echosync WITH SCHEMA public VERSION '1.0.0';
CREATE DOMAIN public.a_code AS character(6);
ALTER DOMAIN public.a_code OWNER TO postgres;
CREATE TYPE public.a_colour AS ENUM (
    'red',
    'green',
    'blue',
    'a b'
);
ALTER TYPE public.a_colour OWNER TO postgres;
CREATE DOMAIN public.a_number AS integer
	CONSTRAINT a_number_check CHECK ((VALUE > 0));
ALTER DOMAIN public.a_number OWNER TO postgres;
CREATE TYPE public.a_pair AS (
	no integer,
	part text
);
ALTER TYPE public.a_pair OWNER TO postgres;
CREATE TABLE public.by_id_0 (
    id uuid NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_0 OWNER TO app;
CREATE TABLE public.by_id_1 (
    id text NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_1 OWNER TO app;
CREATE TABLE public.by_id_10 (
    id smallint NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_10 OWNER TO app;
CREATE TABLE public.by_id_11 (
    id public.a_number NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_11 OWNER TO app;
CREATE TABLE public.by_id_12 (
    id numeric NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_12 OWNER TO app;
CREATE TABLE public.by_id_13 (
    id numeric(10,2) NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_13 OWNER TO app;
CREATE TABLE public.by_id_14 (
    id double precision NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_14 OWNER TO app;
CREATE TABLE public.by_id_15 (
    id real NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_15 OWNER TO app;
CREATE TABLE public.by_id_16 (
    id inet NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_16 OWNER TO app;
CREATE TABLE public.by_id_17 (
    id cidr NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_17 OWNER TO app;
CREATE TABLE public.by_id_18 (
    id macaddr NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_18 OWNER TO app;
CREATE TABLE public.by_id_19 (
    id bit(8) NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_19 OWNER TO app;
CREATE TABLE public.by_id_2 (
    id character varying(20) NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_2 OWNER TO app;
CREATE TABLE public.by_id_20 (
    id bit varying NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_20 OWNER TO app;
CREATE TABLE public.by_id_21 (
    id boolean NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_21 OWNER TO app;
CREATE TABLE public.by_id_22 (
    id bytea NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_22 OWNER TO app;
CREATE TABLE public.by_id_23 (
    id date NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_23 OWNER TO app;
CREATE TABLE public.by_id_24 (
    id timestamp without time zone NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_24 OWNER TO app;
CREATE TABLE public.by_id_25 (
    id timestamp with time zone NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_25 OWNER TO app;
CREATE TABLE public.by_id_26 (
    id interval NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_26 OWNER TO app;
CREATE TABLE public.by_id_27 (
    id money NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_27 OWNER TO app;
CREATE TABLE public.by_id_28 (
    id public.a_colour NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_28 OWNER TO app;
CREATE TABLE public.by_id_29 (
    id public.a_pair NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_29 OWNER TO app;
CREATE TABLE public.by_id_3 (
    id character(8) NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_3 OWNER TO app;
CREATE TABLE public.by_id_30 (
    id jsonb NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_30 OWNER TO app;
CREATE TABLE public.by_id_31 (
    id xml,
    user_id text,
    phone text NOT NULL,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_31 OWNER TO app;
CREATE TABLE public.by_id_32 (
    id point,
    user_id text,
    phone text NOT NULL,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_32 OWNER TO app;
CREATE TABLE public.by_id_33 (
    id integer[] NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_33 OWNER TO app;
CREATE TABLE public.by_id_4 (
    id character(1) NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_4 OWNER TO app;
CREATE TABLE public.by_id_5 (
    id public.a_code NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_5 OWNER TO app;
CREATE TABLE public.by_id_6 (
    id public.citext NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_6 OWNER TO app;
CREATE TABLE public.by_id_7 (
    id text NOT NULL COLLATE public.any_case,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_7 OWNER TO app;
CREATE TABLE public.by_id_8 (
    id integer NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_8 OWNER TO app;
CREATE TABLE public.by_id_9 (
    id bigint NOT NULL,
    user_id text,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_id_9 OWNER TO app;
CREATE TABLE public.by_user_0 (
    id integer NOT NULL,
    user_id uuid,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_0 OWNER TO app;
CREATE TABLE public.by_user_1 (
    id integer NOT NULL,
    user_id uuid,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_1 OWNER TO app;
CREATE TABLE public.by_user_10 (
    id integer NOT NULL,
    user_id integer,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_10 OWNER TO app;
CREATE TABLE public.by_user_11 (
    id integer NOT NULL,
    user_id inet,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_11 OWNER TO app;
CREATE TABLE public.by_user_12 (
    id integer NOT NULL,
    user_id boolean,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_12 OWNER TO app;
CREATE TABLE public.by_user_13 (
    id integer NOT NULL,
    user_id public.a_colour,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_13 OWNER TO app;
CREATE TABLE public.by_user_2 (
    id integer NOT NULL,
    user_id character varying(20),
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_2 OWNER TO app;
CREATE TABLE public.by_user_3 (
    id integer NOT NULL,
    user_id character(8),
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_3 OWNER TO app;
CREATE TABLE public.by_user_4 (
    id integer NOT NULL,
    user_id character(20),
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_4 OWNER TO app;
CREATE TABLE public.by_user_5 (
    id integer NOT NULL,
    user_id public.citext,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_5 OWNER TO app;
CREATE TABLE public.by_user_6 (
    id integer NOT NULL,
    user_id public.citext,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_6 OWNER TO app;
CREATE TABLE public.by_user_7 (
    id integer NOT NULL,
    user_id numeric(10,2),
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_7 OWNER TO app;
CREATE TABLE public.by_user_8 (
    id integer NOT NULL,
    user_id numeric(10,2),
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_8 OWNER TO app;
CREATE TABLE public.by_user_9 (
    id integer NOT NULL,
    user_id double precision,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.by_user_9 OWNER TO app;
CREATE TABLE public.composite (
    id integer NOT NULL,
    user_id text NOT NULL,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.composite OWNER TO app;
CREATE TABLE public.in_the_crm (
    account text,
    record jsonb
);
ALTER TABLE public.in_the_crm OWNER TO postgres;
CREATE TABLE public.partitioned (
    id integer NOT NULL,
    user_id text NOT NULL,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
)
PARTITION BY HASH (user_id);
ALTER TABLE public.partitioned OWNER TO app;
CREATE TABLE public.partitioned_0 (
    id integer NOT NULL,
    user_id text NOT NULL,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.partitioned_0 OWNER TO app;
CREATE TABLE public.partitioned_1 (
    id integer NOT NULL,
    user_id text NOT NULL,
    phone text,
    first_name text,
    last_name text DEFAULT 'Holt'::text,
    risk_score integer DEFAULT 5,
    dnc boolean DEFAULT false
);
ALTER TABLE public.partitioned_1 OWNER TO app;
ALTER TABLE ONLY public.partitioned ATTACH PARTITION public.partitioned_0 FOR VALUES WITH (modulus 2, remainder 0);
ALTER TABLE ONLY public.partitioned ATTACH PARTITION public.partitioned_1 FOR VALUES WITH (modulus 2, remainder 1);
COPY public.by_id_0 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
5d0c0000-0000-4000-8000-00000000bee4	user-1	8012000007	Dead	Holt	5	f
5d0c0000-0000-4000-8000-00000000bee1	user-1	8012000245	Linked	Holt	5	f
5d0c0000-0000-4000-8000-00000000bee5	user-1	8012001071	Doubtful	Holt	5	f
5d0c0000-0000-4000-8000-00000000bee3	user-1	8012001078	Waiting	Holt	5	f
5d0c0000-0000-4000-8000-00000000bee2	user-1	8012000490	Changed	Birch	5	f
5d0c0000-0000-4000-8000-00000000bee6	user-1	8012001442	Refused	Holt	5	t
\.
COPY public.by_id_1 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
text-4	user-1	8012000014	Dead	Holt	5	f
0070	user-1	8012000252	Linked	Holt	5	f
Ünï	user-1	8012001085	Waiting	Holt	5	f
 with blanks 	user-1	8012000497	Changed	Birch	5	f
\.
COPY public.by_id_10 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
10	user-1	8012000077	Dead	Holt	5	f
7	user-1	8012000315	Linked	Holt	5	f
9	user-1	8012001148	Waiting	Holt	5	f
8	user-1	8012000560	Changed	Birch	5	f
\.
COPY public.by_id_11 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
14	user-1	8012000084	Dead	Holt	5	f
11	user-1	8012000322	Linked	Holt	5	f
13	user-1	8012001155	Waiting	Holt	5	f
12	user-1	8012000567	Changed	Birch	5	f
\.
COPY public.by_id_12 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4.0	user-1	8012000091	Dead	Holt	5	f
1.50	user-1	8012000329	Linked	Holt	5	f
3	user-1	8012001162	Waiting	Holt	5	f
2.500	user-1	8012000574	Changed	Birch	5	f
\.
COPY public.by_id_13 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
80.25	user-1	8012000098	Dead	Holt	5	f
77.00	user-1	8012000336	Linked	Holt	5	f
79.50	user-1	8012001169	Waiting	Holt	5	f
78.00	user-1	8012000581	Changed	Birch	5	f
\.
COPY public.by_id_14 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
-0.5	user-1	8012000105	Dead	Holt	5	f
1e+15	user-1	8012000343	Linked	Holt	5	f
1e+300	user-1	8012001176	Waiting	Holt	5	f
0.1	user-1	8012000588	Changed	Birch	5	f
\.
COPY public.by_id_15 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
3	user-1	8012000112	Dead	Holt	5	f
0.5	user-1	8012000350	Linked	Holt	5	f
0.1	user-1	8012001183	Waiting	Holt	5	f
1e+10	user-1	8012000595	Changed	Birch	5	f
\.
COPY public.by_id_16 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
10.1.0.0/16	user-1	8012000119	Dead	Holt	5	f
10.0.0.1	user-1	8012000357	Linked	Holt	5	f
10.0.0.3	user-1	8012001190	Waiting	Holt	5	f
10.0.0.2	user-1	8012000602	Changed	Birch	5	f
\.
COPY public.by_id_17 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
10.4.0.0/16	user-1	8012000126	Dead	Holt	5	f
10.1.0.0/16	user-1	8012000364	Linked	Holt	5	f
10.3.0.1/32	user-1	8012001197	Waiting	Holt	5	f
10.2.0.0/16	user-1	8012000609	Changed	Birch	5	f
\.
COPY public.by_id_18 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
08:00:2b:01:02:04	user-1	8012000133	Dead	Holt	5	f
08:00:2b:01:02:01	user-1	8012000371	Linked	Holt	5	f
08:00:2b:01:02:03	user-1	8012001204	Waiting	Holt	5	f
08:00:2b:01:02:02	user-1	8012000616	Changed	Birch	5	f
\.
COPY public.by_id_19 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
10111010	user-1	8012000140	Dead	Holt	5	f
10101010	user-1	8012000378	Linked	Holt	5	f
10101110	user-1	8012001211	Waiting	Holt	5	f
10101011	user-1	8012000623	Changed	Birch	5	f
\.
COPY public.by_id_2 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
v-4	user-1	8012000021	Dead	Holt	5	f
v-1	user-1	8012000259	Linked	Holt	5	f
v-3	user-1	8012001092	Waiting	Holt	5	f
v-2	user-1	8012000504	Changed	Birch	5	f
\.
COPY public.by_id_20 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
1	user-1	8012000147	Dead	Holt	5	f
101	user-1	8012000385	Linked	Holt	5	f
10100	user-1	8012001218	Waiting	Holt	5	f
1010	user-1	8012000630	Changed	Birch	5	f
\.
COPY public.by_id_21 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
t	user-1	8012000392	Linked	Holt	5	f
f	user-1	8012001225	Waiting	Holt	5	f
\.
COPY public.by_id_22 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
\\x	user-1	8012000154	Dead	Holt	5	f
\\x0102	user-1	8012000399	Linked	Holt	5	f
\\x0104	user-1	8012001232	Waiting	Holt	5	f
\\x0103	user-1	8012000637	Changed	Birch	5	f
\.
COPY public.by_id_23 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
2026-01-05	user-1	8012000161	Dead	Holt	5	f
2026-01-02	user-1	8012000406	Linked	Holt	5	f
2026-01-04	user-1	8012001239	Waiting	Holt	5	f
2026-01-03	user-1	8012000644	Changed	Birch	5	f
\.
COPY public.by_id_24 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
2026-05-06 03:04:05.4	user-1	8012000168	Dead	Holt	5	f
2026-05-06 03:04:05.1	user-1	8012000413	Linked	Holt	5	f
2026-05-06 03:04:05.3	user-1	8012001246	Waiting	Holt	5	f
2026-05-06 03:04:05.2	user-1	8012000651	Changed	Birch	5	f
\.
COPY public.by_id_25 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
2026-05-06 01:04:04+00	user-1	8012000175	Dead	Holt	5	f
2026-05-06 01:04:01+00	user-1	8012000420	Linked	Holt	5	f
2026-05-06 01:04:03+00	user-1	8012001253	Waiting	Holt	5	f
2026-05-06 01:04:02+00	user-1	8012000658	Changed	Birch	5	f
\.
COPY public.by_id_26 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
3 years	user-1	8012000182	Dead	Holt	5	f
1 day	user-1	8012000427	Linked	Holt	5	f
1 mon	user-1	8012001260	Waiting	Holt	5	f
24:00:01	user-1	8012000665	Changed	Birch	5	f
\.
COPY public.by_id_27 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
$4.00	user-1	8012000189	Dead	Holt	5	f
$1.50	user-1	8012000434	Linked	Holt	5	f
$3.00	user-1	8012001267	Waiting	Holt	5	f
$2.00	user-1	8012000672	Changed	Birch	5	f
\.
COPY public.by_id_28 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
a b	user-1	8012000196	Dead	Holt	5	f
green	user-1	8012000441	Linked	Holt	5	f
blue	user-1	8012001274	Waiting	Holt	5	f
red	user-1	8012000679	Changed	Birch	5	f
\.
COPY public.by_id_29 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
(4,d)	user-1	8012000203	Dead	Holt	5	f
(1,a)	user-1	8012000448	Linked	Holt	5	f
(3,)	user-1	8012001281	Waiting	Holt	5	f
(2,"b c")	user-1	8012000686	Changed	Birch	5	f
\.
COPY public.by_id_3 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
d d     	user-1	8012000028	Dead	Holt	5	f
ab      	user-1	8012000266	Linked	Holt	5	f
c       	user-1	8012001099	Waiting	Holt	5	f
full-len	user-1	8012000511	Changed	Birch	5	f
\.
COPY public.by_id_30 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
{"a": 4}	user-1	8012000210	Dead	Holt	5	f
{"a": 1}	user-1	8012000455	Linked	Holt	5	f
{"a": 3}	user-1	8012001288	Waiting	Holt	5	f
{"a": 2}	user-1	8012000693	Changed	Birch	5	f
\.
COPY public.by_id_31 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
<a>4</a>	user-1	8012000217	Dead	Holt	5	f
<a>1</a>	user-1	8012000462	Linked	Holt	5	f
<a>3</a>	user-1	8012001295	Waiting	Holt	5	f
<a>2</a>	user-1	8012000700	Changed	Birch	5	f
\.
COPY public.by_id_32 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
(1,4)	user-1	8012000224	Dead	Holt	5	f
(1,1)	user-1	8012000469	Linked	Holt	5	f
(1,3)	user-1	8012001302	Waiting	Holt	5	f
(1,2)	user-1	8012000707	Changed	Birch	5	f
\.
COPY public.by_id_33 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
{3}	user-1	8012001309	Waiting	Holt	5	f
\.
COPY public.by_id_4 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
d	user-1	8012000035	Dead	Holt	5	f
a	user-1	8012000273	Linked	Holt	5	f
c	user-1	8012001106	Waiting	Holt	5	f
b	user-1	8012000518	Changed	Birch	5	f
\.
COPY public.by_id_5 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
y     	user-1	8012000042	Dead	Holt	5	f
xyz   	user-1	8012000280	Linked	Holt	5	f
x     	user-1	8012001113	Waiting	Holt	5	f
uvwxyz	user-1	8012000525	Changed	Birch	5	f
\.
COPY public.by_id_6 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
Lead-d	user-1	8012000049	Dead	Holt	5	f
Lead-A	user-1	8012000287	Linked	Holt	5	f
LEAD-C	user-1	8012001120	Waiting	Holt	5	f
lead-b	user-1	8012000532	Changed	Birch	5	f
\.
COPY public.by_id_7 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
Fourth	user-1	8012000056	Dead	Holt	5	f
Other	user-1	8012000294	Linked	Holt	5	f
THIRD	user-1	8012001127	Waiting	Holt	5	f
another	user-1	8012000539	Changed	Birch	5	f
\.
COPY public.by_id_8 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
45	user-1	8012000063	Dead	Holt	5	f
42	user-1	8012000301	Linked	Holt	5	f
-44	user-1	8012001134	Waiting	Holt	5	f
43	user-1	8012000546	Changed	Birch	5	f
\.
COPY public.by_id_9 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
90071992547409934	user-1	8012000070	Dead	Holt	5	f
90071992547409931	user-1	8012000308	Linked	Holt	5	f
90071992547409933	user-1	8012001141	Waiting	Holt	5	f
90071992547409932	user-1	8012000553	Changed	Birch	5	f
\.
COPY public.by_user_0 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	f00d0000-0000-4000-8000-00000000cafe	8012000770	Dead	Holt	5	f
1	f00d0000-0000-4000-8000-00000000cafe	8012000777	Linked	Holt	5	f
3	f00d0000-0000-4000-8000-00000000cafe	8012001344	Waiting	Holt	5	f
2	f00d0000-0000-4000-8000-00000000cafe	8012000784	Changed	Birch	5	f
\.
COPY public.by_user_1 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	f00d0000-0000-4000-8000-00000000beef	8012000791	Dead	Holt	5	f
1	f00d0000-0000-4000-8000-00000000beef	8012000798	Linked	Holt	5	f
3	f00d0000-0000-4000-8000-00000000beef	8012001351	Waiting	Holt	5	f
2	f00d0000-0000-4000-8000-00000000beef	8012000805	Changed	Birch	5	f
\.
COPY public.by_user_10 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	1009	8012000980	Dead	Holt	5	f
1	1009	8012000987	Linked	Holt	5	f
3	1009	8012001414	Waiting	Holt	5	f
2	1009	8012000994	Changed	Birch	5	f
\.
COPY public.by_user_11 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	10.9.8.7	8012001001	Dead	Holt	5	f
1	10.9.8.7	8012001008	Linked	Holt	5	f
3	10.9.8.7	8012001421	Waiting	Holt	5	f
2	10.9.8.7	8012001015	Changed	Birch	5	f
\.
COPY public.by_user_12 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	t	8012001022	Dead	Holt	5	f
1	t	8012001029	Linked	Holt	5	f
3	t	8012001428	Waiting	Holt	5	f
2	t	8012001036	Changed	Birch	5	f
\.
COPY public.by_user_13 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	red	8012001043	Dead	Holt	5	f
1	red	8012001050	Linked	Holt	5	f
3	red	8012001435	Waiting	Holt	5	f
2	red	8012001057	Changed	Birch	5	f
\.
COPY public.by_user_2 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	varied	8012000812	Dead	Holt	5	f
1	varied	8012000819	Linked	Holt	5	f
3	varied	8012001358	Waiting	Holt	5	f
2	varied	8012000826	Changed	Birch	5	f
\.
COPY public.by_user_3 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	full-use	8012000833	Dead	Holt	5	f
1	full-use	8012000840	Linked	Holt	5	f
3	full-use	8012001365	Waiting	Holt	5	f
2	full-use	8012000847	Changed	Birch	5	f
\.
COPY public.by_user_4 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	padded              	8012000854	Dead	Holt	5	f
1	padded              	8012000861	Linked	Holt	5	f
3	padded              	8012001372	Waiting	Holt	5	f
2	padded              	8012000868	Changed	Birch	5	f
\.
COPY public.by_user_5 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	Carla	8012000875	Dead	Holt	5	f
1	Carla	8012000882	Linked	Holt	5	f
3	Carla	8012001379	Waiting	Holt	5	f
2	Carla	8012000889	Changed	Birch	5	f
\.
COPY public.by_user_6 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	Nora	8012000896	Dead	Holt	5	f
1	Nora	8012000903	Linked	Holt	5	f
3	Nora	8012001386	Waiting	Holt	5	f
2	Nora	8012000910	Changed	Birch	5	f
\.
COPY public.by_user_7 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	7.00	8012000917	Dead	Holt	5	f
1	7.00	8012000924	Linked	Holt	5	f
3	7.00	8012001393	Waiting	Holt	5	f
2	7.00	8012000931	Changed	Birch	5	f
\.
COPY public.by_user_8 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	8.00	8012000938	Dead	Holt	5	f
1	8.00	8012000945	Linked	Holt	5	f
3	8.00	8012001400	Waiting	Holt	5	f
2	8.00	8012000952	Changed	Birch	5	f
\.
COPY public.by_user_9 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	1e+16	8012000959	Dead	Holt	5	f
1	1e+16	8012000966	Linked	Holt	5	f
3	1e+16	8012001407	Waiting	Holt	5	f
2	1e+16	8012000973	Changed	Birch	5	f
\.
COPY public.composite (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	user-1	8012000231	Dead	Holt	5	f
1	user-1	8012000476	Linked	Holt	5	f
4	user-2	8012000728	Dead	Holt	5	f
1	user-2	8012000742	Linked	Holt	5	f
3	user-1	8012001316	Waiting	Holt	5	f
2	user-1	8012000714	Changed	Birch	5	f
3	user-2	8012001330	Waiting	Holt	5	f
2	user-2	8012000756	Changed	Birch	5	f
\.
COPY public.crm_integrations (id, user_id, crm_type, status, status_reason, consecutive_failures, settings, credential_kind, crm_account, crm_account_label, last_sync_at, not_before, connected_at, created_at, updated_at) FROM stdin;
e36f0973-65e5-49d4-a718-7e396d5bfd4d	padded	lofty	paused	by_user	0	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086707123/200007	Ana Reyes (Agent)	\N	\N	2026-01-02 02:05:34.324097+00	2026-01-02 02:05:34.324097+00	2026-01-02 02:06:01.682041+00
1230f9a1-0dc4-4e61-b409-558923009e3d	F00D0000-0000-4000-8000-00000000BEEF	lofty	paused	by_user	0	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086704123/200004	Ana Reyes (Agent)	\N	\N	2026-01-02 02:05:33.489763+00	2026-01-02 02:05:33.489763+00	2026-01-02 02:06:00.977373+00
e60033b2-b052-4f77-bee1-0a6e1ca86e5f	varied	lofty	paused	by_user	1	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086705123/200005	Ana Reyes (Agent)	2026-01-02 02:05:47.573418+00	\N	2026-01-02 02:05:33.765981+00	2026-01-02 02:05:33.765981+00	2026-01-02 02:06:01.210261+00
bd7dc265-8cbb-428d-8123-c6beeed623c3	7.00	lofty	paused	by_user	1	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086710123/200010	Ana Reyes (Agent)	2026-01-02 02:05:50.18623+00	\N	2026-01-02 02:05:35.159769+00	2026-01-02 02:05:35.159769+00	2026-01-02 02:06:02.390781+00
01926aa3-7392-4534-8214-2ad742bb3a45	Carla	lofty	paused	by_user	1	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086708123/200008	Ana Reyes (Agent)	2026-01-02 02:05:49.130166+00	\N	2026-01-02 02:05:34.598009+00	2026-01-02 02:05:34.598009+00	2026-01-02 02:06:01.917353+00
909d6500-352d-4321-be8c-3f49888dfa36	red	lofty	paused	by_user	1	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086716123/200016	Ana Reyes (Agent)	2026-01-02 02:05:53.386395+00	\N	2026-01-02 02:05:36.842811+00	2026-01-02 02:05:36.842811+00	2026-01-02 02:06:03.805233+00
9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	paused	by_user	1	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086702123/200002	Ana Reyes (Agent)	2026-01-02 02:05:45.975334+00	\N	2026-01-02 02:05:30.140997+00	2026-01-02 02:05:30.140997+00	2026-01-02 02:06:00.340349+00
f6ffda8e-fc01-40af-ae15-7e0ca9359810	1009	lofty	paused	by_user	1	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086713123/200013	Ana Reyes (Agent)	2026-01-02 02:05:51.770515+00	\N	2026-01-02 02:05:35.9954+00	2026-01-02 02:05:35.9954+00	2026-01-02 02:06:03.092066+00
bb3ea04c-4bb6-44b1-992f-fae1afe5357e	f00d0000-0000-4000-8000-00000000cafe	lofty	paused	by_user	1	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086703123/200003	Ana Reyes (Agent)	2026-01-02 02:05:46.551399+00	\N	2026-01-02 02:05:33.217692+00	2026-01-02 02:05:33.217692+00	2026-01-02 02:06:00.738309+00
8fff48cf-cc52-4477-823c-61dc3252b3cf	full-use	lofty	paused	by_user	0	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086706123/200006	Ana Reyes (Agent)	2026-01-02 02:05:48.088362+00	\N	2026-01-02 02:05:34.044218+00	2026-01-02 02:05:34.044218+00	2026-01-02 02:06:01.445174+00
e5740cd1-f990-43d2-acba-9aad0d2b22bf	NORA	lofty	paused	by_user	0	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086709123/200009	Ana Reyes (Agent)	\N	\N	2026-01-02 02:05:34.877035+00	2026-01-02 02:05:34.877035+00	2026-01-02 02:06:02.154267+00
7f56e47b-1226-4536-90ab-778d18e495e1	8	lofty	paused	by_user	0	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086711123/200011	Ana Reyes (Agent)	\N	\N	2026-01-02 02:05:35.433625+00	2026-01-02 02:05:35.433625+00	2026-01-02 02:06:02.630751+00
21c5a849-668a-47ce-91f9-1161a1d58dd4	1e+16	lofty	paused	by_user	0	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086712123/200012	Ana Reyes (Agent)	\N	\N	2026-01-02 02:05:35.716153+00	2026-01-02 02:05:35.716153+00	2026-01-02 02:06:02.865671+00
a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	10.9.8.7	lofty	paused	by_user	1	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086714123/200014	Ana Reyes (Agent)	2026-01-02 02:05:52.313606+00	\N	2026-01-02 02:05:36.275628+00	2026-01-02 02:05:36.275628+00	2026-01-02 02:06:03.324626+00
33b64d55-bfe0-4e64-bd6a-bcd16c8adbd1	t	lofty	paused	by_user	0	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086715123/200015	Ana Reyes (Agent)	\N	\N	2026-01-02 02:05:36.548023+00	2026-01-02 02:05:36.548024+00	2026-01-02 02:06:03.572746+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	paused	by_user	0	{"tags": ["Echo Safe - Clean Lead"], "source": "Echo Safe Compliance", "crm_name": null, "delivery": "quiet", "auto_sync": true, "custom_fields": {}, "sync_unscored": false, "max_risk_score": 20, "assigned_user_id": null}	api_key	400900086701123/200001	Ana Reyes (Agent)	2026-01-02 02:05:53.911115+00	\N	2026-01-02 02:05:29.944435+00	2026-01-02 02:05:29.944435+00	2026-01-02 02:05:54.833854+00
\.
COPY public.crm_credentials (integration_id, sealed, expires_at, updated_at) FROM stdin;
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	es1:6b8a7f7b:VwNgiQB6G+kgNuZ1+F+SZXIqb9eH+uzROLVjbfjsYebjbPp3twbVNTDpNfqnjv/c0EIj9wBIVydzW2cSdHfrw3c2jjprce05wa2+o3ENnFUvQVQLN3Xn08IFsA==	\N	2026-01-02 02:05:30.047182+00
9d776c15-1de4-413b-8e3c-79baa309e607	es1:6b8a7f7b:mLIFXVrDY+YxUDVj45WkmDP2mXjIpKf9RbReSWzuuf6dJyoaapZ9WxOzXvmwpfwttX9RK5z2h6ZPYVqv7UpfJ6aL5PvyUyu1BWtgbC61uavEb8ljHzwAZMPMSw==	\N	2026-01-02 02:05:30.248131+00
bb3ea04c-4bb6-44b1-992f-fae1afe5357e	es1:6b8a7f7b:S+xRKVD4opu5RK5w4Q1ZLazM+W0omT5rn3AsVk3V75O42IfGiu9pIA3zg6ZZgt8RDF7OUjWALyZcpU3WYGXlJit2n8Nwa93NA/uNmSDYQPovRtzLpfaTLmfI7Q==	\N	2026-01-02 02:05:33.325314+00
1230f9a1-0dc4-4e61-b409-558923009e3d	es1:6b8a7f7b:xMxH3aVL8D5rmPJTqNL39Q/ks6Q+P4Sc9d3dDlST75mOWb/56iF1ZJedZTmxhfSfq0e5jkBo31vvU80cYxaE+B1TFFMN78sFHs0ckNDKPRS03gJC+/AYVfCHKg==	\N	2026-01-02 02:05:33.595639+00
e60033b2-b052-4f77-bee1-0a6e1ca86e5f	es1:6b8a7f7b:5FyO0WsTse8vejGipOcMmnxrLQf7xOjRuwiD/mJh5MP9OHEH80yHm4XSMXL6c4e5TIjSbm2eiwG6BG/FqkfNQrUKbR2VVpSTLF1/IfNFC+sOzBxXkHEuxUt0dw==	\N	2026-01-02 02:05:33.876919+00
8fff48cf-cc52-4477-823c-61dc3252b3cf	es1:6b8a7f7b:mqt6U2cYCbF+6Ni1pUUBYK9IONPrJR5CS2g/q91jNVYxIKcHwYRowk79+XfszQcuVNkDOireXYSw5yMIfQym3pecd0TK1HhV6qdWsWdQhSqQHH92TtWVO5+Aew==	\N	2026-01-02 02:05:34.156066+00
e36f0973-65e5-49d4-a718-7e396d5bfd4d	es1:6b8a7f7b:tRGq8AXf9Mf3FJGqCWExOCcZpZCLggTstYI7A0TrurWsf6HPY7lmxXvybG4g6NM1CltDK6cnKp+oBV90wimDmTDPohk/H1gyBWJDVaQ+lbvBZppgNgD9QeXoZA==	\N	2026-01-02 02:05:34.432624+00
01926aa3-7392-4534-8214-2ad742bb3a45	es1:6b8a7f7b:2HyJE06MaEcfRkgRBGgQ9/W+rVp4QCYUJiIxZi42QpRFS9RDcGe4PhR+1XRayaut9iv1Y1umut+Llr7pJ1cd969bb2To/owQBXZDdb38tmQhSUzxanvEwq6pkw==	\N	2026-01-02 02:05:34.710369+00
e5740cd1-f990-43d2-acba-9aad0d2b22bf	es1:6b8a7f7b:zNO+378pFSHOlJkuP/83+qJjPJtnmRwN0+iecOtNPKs9qxlKuihAaYOfzxrxBXjuLylkzj24kc7WB5VuO28f06QaAXrhxnnrEf0U5jC16dmkweMrZiiOjmxIng==	\N	2026-01-02 02:05:34.986189+00
bd7dc265-8cbb-428d-8123-c6beeed623c3	es1:6b8a7f7b:/4mxPU7jh8bZSDMWmleCDLJLoFizYWowFMv/m1ZFmAn3Blqr+vfRZ7T7zwRWyuCS6s+dnjXfRhfU54xjza25GF5uCTLrNW9V84Mzp68Iqe/cBscpfvL7J63NQw==	\N	2026-01-02 02:05:35.271042+00
7f56e47b-1226-4536-90ab-778d18e495e1	es1:6b8a7f7b:1yFj6MBQafGu3Ugwi0Wq0DedLwguEjfAgqmj9UqW4tH48uwWmu7Ahn0Yt7Q/3sQC2mEw4kLTv+rOOLQ5qBOfllENvcGsMyU+t5qW5FusZQEGq0Dwvo0zrMFpPg==	\N	2026-01-02 02:05:35.543292+00
21c5a849-668a-47ce-91f9-1161a1d58dd4	es1:6b8a7f7b:lISVk8U5+tS102RGy9oY4gPZsovdL/gYNPiWImTwhyZWJ5X/dw6cHzrzwp1CHNPSIkNvmJhIEGZENXHwVZVity8HQNgghl0Ys/mFJofPxB1QbQdpdvkJwK6jYw==	\N	2026-01-02 02:05:35.827794+00
f6ffda8e-fc01-40af-ae15-7e0ca9359810	es1:6b8a7f7b:QCIaaulf/TXHVe2zzRJeuDuZslLeeEaqZ02d89xGEo096zCRdcbLo31ALZAVYnoTK0Ut48oBfBIJ+Jx/jbi0H1gyg1s3Ff5I12KM84M6ICzz1ReXS7We2ffJTg==	\N	2026-01-02 02:05:36.105911+00
a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	es1:6b8a7f7b:5Yw+xIOyyTbDy8Q0WGVX0+Pekooc73DRkvAeugHzE864+RImsiuKIbIWVitAbY/wv01a3GNEecQPtTB94bJ1SL/fpdnuZxHIdM3+nvaFoau8rq2e4nn2bXjVtg==	\N	2026-01-02 02:05:36.383443+00
33b64d55-bfe0-4e64-bd6a-bcd16c8adbd1	es1:6b8a7f7b:DYASDgSH7I67zhYwjCasbmTNNQGAuz8J8GovcOhAlf7YQgMRagUX7HUqXKNEN5YFUdUsnRTMR7WJJprTn7VVjYvncHd/42E3xZPgNviYZPydnTP4Ne8muSgtJQ==	\N	2026-01-02 02:05:36.654157+00
909d6500-352d-4321-be8c-3f49888dfa36	es1:6b8a7f7b:8TxY5WXQfdjCN2jdUKn0glMLloNmMT77JdDrjHT8QvjGWmE7HFtBYmSF4/RVdHAtRsjVYoA3BpyDzMTA0/9BitlylZz1sjRNoBj52GJP/wu5HO39SczvkU6WNg==	\N	2026-01-02 02:05:36.954217+00
\.
COPY public.crm_dead_letters (integration_id, lead_id, user_id, source_id, run_id, snapshot, queued_at, failed_at, attempts, http_status, error_code, error_message) FROM stdin;
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	text-4	user-1	2	\N	\N	2026-01-02 02:05:37.299183+00	2026-01-02 02:05:45.490958+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	y	user-1	6	\N	\N	2026-01-02 02:05:37.613891+00	2026-01-02 02:05:45.491002+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	v-4	user-1	3	\N	\N	2026-01-02 02:05:37.377319+00	2026-01-02 02:05:45.508458+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	Lead-d	user-1	7	\N	\N	2026-01-02 02:05:37.6958+00	2026-01-02 02:05:45.516513+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	d	user-1	5	\N	\N	2026-01-02 02:05:37.534919+00	2026-01-02 02:05:45.524581+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	90071992547409934	user-1	10	\N	\N	2026-01-02 02:05:37.946959+00	2026-01-02 02:05:45.524594+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	10	user-1	11	\N	\N	2026-01-02 02:05:38.024056+00	2026-01-02 02:05:45.5246+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	4.0	user-1	13	\N	\N	2026-01-02 02:05:38.182079+00	2026-01-02 02:05:45.530058+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	Fourth	user-1	8	\N	\N	2026-01-02 02:05:37.781647+00	2026-01-02 02:05:45.532796+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	45	user-1	9	\N	\N	2026-01-02 02:05:37.869422+00	2026-01-02 02:05:45.536185+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	14	user-1	12	\N	\N	2026-01-02 02:05:38.10285+00	2026-01-02 02:05:45.536201+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	80.25	user-1	14	\N	\N	2026-01-02 02:05:38.266071+00	2026-01-02 02:05:45.538594+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	-0.5	user-1	15	\N	\N	2026-01-02 02:05:38.345952+00	2026-01-02 02:05:45.538605+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	3	user-1	16	\N	\N	2026-01-02 02:05:38.42666+00	2026-01-02 02:05:45.542249+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	10.1.0.0/16	user-1	17	\N	\N	2026-01-02 02:05:38.504209+00	2026-01-02 02:05:45.543943+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	10.4.0.0/16	user-1	18	\N	\N	2026-01-02 02:05:38.581397+00	2026-01-02 02:05:45.545983+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	08:00:2b:01:02:04	user-1	19	\N	\N	2026-01-02 02:05:38.661378+00	2026-01-02 02:05:45.545994+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	1	user-1	21	\N	\N	2026-01-02 02:05:38.819864+00	2026-01-02 02:05:45.547644+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	\\x	user-1	23	\N	\N	2026-01-02 02:05:38.89625+00	2026-01-02 02:05:45.549235+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2026-01-05	user-1	24	\N	\N	2026-01-02 02:05:38.972092+00	2026-01-02 02:05:45.551413+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2026-05-06 03:04:05.4	user-1	25	\N	\N	2026-01-02 02:05:39.05144+00	2026-01-02 02:05:45.551425+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2026-05-06 01:04:04+00	user-1	26	\N	\N	2026-01-02 02:05:39.131616+00	2026-01-02 02:05:45.552818+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	3 years	user-1	27	\N	\N	2026-01-02 02:05:39.209878+00	2026-01-02 02:05:45.554457+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	$4.00	user-1	28	\N	\N	2026-01-02 02:05:39.289456+00	2026-01-02 02:05:45.554468+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	a b	user-1	29	\N	\N	2026-01-02 02:05:39.368439+00	2026-01-02 02:05:45.555895+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	(4,d)	user-1	30	\N	\N	2026-01-02 02:05:39.447977+00	2026-01-02 02:05:45.557504+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	{"a": 4}	user-1	31	\N	\N	2026-01-02 02:05:39.526992+00	2026-01-02 02:05:45.557515+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	<a>4</a>	user-1	32	\N	\N	2026-01-02 02:05:39.604397+00	2026-01-02 02:05:45.55905+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	(1,4)	user-1	33	\N	\N	2026-01-02 02:05:39.682042+00	2026-01-02 02:05:45.559063+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	4	user-1	49	\N	\N	2026-01-02 02:05:39.760693+00	2026-01-02 02:05:45.559788+00	1	400	http_400	Lofty refused the request.
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	4	user-1	50	\N	\N	2026-01-02 02:05:39.84127+00	2026-01-02 02:05:45.560971+00	1	400	http_400	Lofty refused the request.
9d776c15-1de4-413b-8e3c-79baa309e607	4	user-2	49	\N	\N	2026-01-02 02:05:45.656622+00	2026-01-02 02:05:46.251411+00	1	400	http_400	Lofty refused the request.
bb3ea04c-4bb6-44b1-992f-fae1afe5357e	4	f00d0000-0000-4000-8000-00000000cafe	35	\N	\N	2026-01-02 02:05:46.390184+00	2026-01-02 02:05:46.756633+00	1	400	http_400	Lofty refused the request.
e60033b2-b052-4f77-bee1-0a6e1ca86e5f	4	varied	37	\N	\N	2026-01-02 02:05:47.390774+00	2026-01-02 02:05:47.775908+00	1	400	http_400	Lofty refused the request.
8fff48cf-cc52-4477-823c-61dc3252b3cf	4	full-use	38	\N	\N	2026-01-02 02:05:47.921426+00	2026-01-02 02:05:47.930052+00	1	400	http_400	Lofty refused the request.
01926aa3-7392-4534-8214-2ad742bb3a45	4	Carla	40	\N	\N	2026-01-02 02:05:48.96549+00	2026-01-02 02:05:49.337404+00	1	400	http_400	Lofty refused the request.
bd7dc265-8cbb-428d-8123-c6beeed623c3	4	7.00	42	\N	\N	2026-01-02 02:05:50.018686+00	2026-01-02 02:05:50.403643+00	1	400	http_400	Lofty refused the request.
f6ffda8e-fc01-40af-ae15-7e0ca9359810	4	1009	45	\N	\N	2026-01-02 02:05:51.600671+00	2026-01-02 02:05:51.992677+00	1	400	http_400	Lofty refused the request.
a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	4	10.9.8.7	46	\N	\N	2026-01-02 02:05:52.149443+00	2026-01-02 02:05:52.523706+00	1	400	http_400	Lofty refused the request.
909d6500-352d-4321-be8c-3f49888dfa36	4	red	48	\N	\N	2026-01-02 02:05:53.219847+00	2026-01-02 02:05:53.606815+00	1	400	http_400	Lofty refused the request.
\.
COPY public.crm_disconnected (id, user_id, crm_type, crm_account, disconnected_at) FROM stdin;
\.
COPY public.crm_lead_links (integration_id, lead_id, user_id, source_id, crm_record_id, matched_by, payload_hash, note_hash, phone_hash, email_hash, created_at, synced_at) FROM stdin;
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	5d0c0000-0000-4000-8000-00000000bee1	user-1	1	9007199254740993	created	\\x00000000000000000000000000000000807020c7326fc910a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x827834e354178480102e42ebb31be479	\N	2026-01-02 02:05:39.934103+00	2026-01-02 02:05:39.934131+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0070	user-1	2	9007199254740995	created	\\x00000000000000000000000000000000bdf90c2f5496cbe8a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x189093a49adae29b2f0b562fd7f2c12a	\N	2026-01-02 02:05:40.008605+00	2026-01-02 02:05:40.008605+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	v-1	user-1	3	9007199254740997	created	\\x00000000000000000000000000000000b9295d47db3e5e3ea2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x081ee428849217984bf37044db3eb64a	\N	2026-01-02 02:05:40.084859+00	2026-01-02 02:05:40.084877+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	a	user-1	5	9007199254740999	created	\\x000000000000000000000000000000009ae50461c773379aa2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xb5ceb54e5270d7b52e0b611fca100dcd	\N	2026-01-02 02:05:40.23332+00	2026-01-02 02:05:40.233348+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	Lead-A	user-1	7	9007199254741001	created	\\x00000000000000000000000000000000034e88597588aabea2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x26bb247387149719ec54990d5eeff082	\N	2026-01-02 02:05:40.396429+00	2026-01-02 02:05:40.396457+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	Other	user-1	8	9007199254741003	created	\\x00000000000000000000000000000000ad786f856db82db6a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x51c5c2dfd8e65c2de3f6211a96958832	\N	2026-01-02 02:05:40.482822+00	2026-01-02 02:05:40.482822+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	42	user-1	9	9007199254741005	created	\\x000000000000000000000000000000007f0f2f9b0a02bf3aa2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x3147c2c1ab4577cc8213f14b708b12e9	\N	2026-01-02 02:05:40.549228+00	2026-01-02 02:05:40.549275+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	90071992547409931	user-1	10	9007199254741007	created	\\x0000000000000000000000000000000019a111e37a588d86a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x9a2f28449f189f2c5df7ff33b53bb079	\N	2026-01-02 02:05:40.622928+00	2026-01-02 02:05:40.622928+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	7	user-1	11	9007199254741009	created	\\x00000000000000000000000000000000ed502a3b26a587d6a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x6ed1006afba3913dec918b60da4f5634	\N	2026-01-02 02:05:40.697553+00	2026-01-02 02:05:40.697553+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	11	user-1	12	9007199254741011	created	\\x00000000000000000000000000000000c2e9bcb510a5f81ba2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xa462ea7fbd9061d0fd04d4d253a70ef4	\N	2026-01-02 02:05:40.776522+00	2026-01-02 02:05:40.776522+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	1.50	user-1	13	9007199254741013	created	\\x00000000000000000000000000000000b9a45f5ad47bc7bba2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xc7e549e0dde656f7b97cb592f2d53ffc	\N	2026-01-02 02:05:40.852494+00	2026-01-02 02:05:40.852494+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	77.00	user-1	14	9007199254741015	created	\\x00000000000000000000000000000000e5ce13160d8ea55ea2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xb75c7a28ab3f59455b7cd8e47c716c46	\N	2026-01-02 02:05:40.929103+00	2026-01-02 02:05:40.929103+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	1e+15	user-1	15	9007199254741017	created	\\x00000000000000000000000000000000f162e9bb43347e60a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x6c26f32bbdf17f687d1cf2c4971c77db	\N	2026-01-02 02:05:41.004949+00	2026-01-02 02:05:41.004999+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0.5	user-1	16	9007199254741019	created	\\x000000000000000000000000000000009148994ca9d3a971a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x472cac018c2bde9a409d2be6390f9190	\N	2026-01-02 02:05:41.090819+00	2026-01-02 02:05:41.090819+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	10.1.0.0/16	user-1	18	9007199254741021	created	\\x000000000000000000000000000000001797431d552782dda2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xcfa975a5bf761d9ebb580846bd459892	\N	2026-01-02 02:05:41.237275+00	2026-01-02 02:05:41.237293+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	08:00:2b:01:02:01	user-1	19	9007199254741023	created	\\x0000000000000000000000000000000008a510e3e44931f6a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xdad2ccccbc2ce2870dc1455668c40964	\N	2026-01-02 02:05:41.322661+00	2026-01-02 02:05:41.322661+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	101	user-1	21	9007199254741025	created	\\x00000000000000000000000000000000de78f6acf22acdd2a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x830980bd81e3ad7cef6d10be213e6d50	\N	2026-01-02 02:05:41.473897+00	2026-01-02 02:05:41.473917+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	\\x0102	user-1	23	9007199254741027	created	\\x00000000000000000000000000000000cb9402fc6862a36ca2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x246db31d5036e55112b73f97a572328e	\N	2026-01-02 02:05:41.62615+00	2026-01-02 02:05:41.62615+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2026-01-02	user-1	24	9007199254741029	created	\\x000000000000000000000000000000003f1ad19d135e0776a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x7c1201c5c702cbe8d61a1fd7d5c3259c	\N	2026-01-02 02:05:41.705585+00	2026-01-02 02:05:41.705585+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2026-05-06 03:04:05.1	user-1	25	9007199254741031	created	\\x000000000000000000000000000000009c01a9fb6c6e4785a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x4de570b8c72d5b2770c27c73cecf415b	\N	2026-01-02 02:05:41.780019+00	2026-01-02 02:05:41.780019+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2026-05-06 01:04:01+00	user-1	26	9007199254741033	created	\\x000000000000000000000000000000002bf30b06b81008c8a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xf295dc9dd2e325f4ed419f3540576de0	\N	2026-01-02 02:05:41.867514+00	2026-01-02 02:05:41.867514+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	1 day	user-1	27	9007199254741035	created	\\x00000000000000000000000000000000df486569673ab56ca2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x45c83180e1475d129f5171ccb2acead3	\N	2026-01-02 02:05:41.936107+00	2026-01-02 02:05:41.936107+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	$1.50	user-1	28	9007199254741037	created	\\x00000000000000000000000000000000cf427455fdbfae4ea2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x037b3d44ba3de8b6e733bf84c15a6546	\N	2026-01-02 02:05:42.020354+00	2026-01-02 02:05:42.020354+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	green	user-1	29	9007199254741039	created	\\x00000000000000000000000000000000f08afc7a63591be6a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x61443713136508a9a4a75c67e68e1b9d	\N	2026-01-02 02:05:42.112506+00	2026-01-02 02:05:42.112506+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	(1,a)	user-1	30	9007199254741041	created	\\x00000000000000000000000000000000fa6c83aed0f30517a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x3c82cdc4066f0c837d689f717c70c579	\N	2026-01-02 02:05:42.188363+00	2026-01-02 02:05:42.188412+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	{"a": 1}	user-1	31	9007199254741043	created	\\x00000000000000000000000000000000f3f0bb1269b2fd3da2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x5ad2152c90ee15f8ccf36a7242f3274b	\N	2026-01-02 02:05:42.265763+00	2026-01-02 02:05:42.265763+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	<a>1</a>	user-1	32	9007199254741045	created	\\x00000000000000000000000000000000fe391347eb0ef78ca2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x18d4504e64c7b7f638e6069a23aa2c11	\N	2026-01-02 02:05:42.343248+00	2026-01-02 02:05:42.343248+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	(1,1)	user-1	33	9007199254741047	created	\\x00000000000000000000000000000000b38127382100b88ca2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x9d2116d06f6aff4a0f1df51702d2fe76	\N	2026-01-02 02:05:42.427268+00	2026-01-02 02:05:42.427268+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	1	user-1	49	9007199254741049	created	\\x00000000000000000000000000000000510355c44ffef86fa2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x562c03d7762c3314f6458ed20fd4b21a	\N	2026-01-02 02:05:42.497066+00	2026-01-02 02:05:42.497066+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	1	user-1	50	9007199254741051	created	\\x00000000000000000000000000000000f944b859088e1b5ca2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x9ad32add28b3f1ea1d978ad323f5c17a	\N	2026-01-02 02:05:42.583018+00	2026-01-02 02:05:42.583018+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	5d0c0000-0000-4000-8000-00000000bee2	user-1	1	9007199254741053	created	\\x000000000000000000000000000000007309aedfd0483ba505fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xe2e4267a27d42602aa8a2977180586bf	\N	2026-01-02 02:05:42.643483+00	2026-01-02 02:05:42.6435+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	 with blanks 	user-1	2	9007199254741055	created	\\x00000000000000000000000000000000d4a9c2e0085793de05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x165c8b668603f531b56ebac9e41e1435	\N	2026-01-02 02:05:42.726973+00	2026-01-02 02:05:42.726973+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	v-2	user-1	3	9007199254741057	created	\\x000000000000000000000000000000007db3864ab09a644305fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xd630678b06a0e0663ae1ff87efd08605	\N	2026-01-02 02:05:42.799056+00	2026-01-02 02:05:42.799056+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	b	user-1	5	9007199254741059	created	\\x000000000000000000000000000000007e13a4e9888add2205fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x7e6f1fb4933dda03e0c629f49d59984f	\N	2026-01-02 02:05:42.950356+00	2026-01-02 02:05:42.950356+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	lead-b	user-1	7	9007199254741061	created	\\x0000000000000000000000000000000003fce2e5b1f9234a05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x8ad63d01791ef2d62ca0b52e5989c535	\N	2026-01-02 02:05:43.112524+00	2026-01-02 02:05:43.112524+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	another	user-1	8	9007199254741063	created	\\x000000000000000000000000000000001340c40a3a63a3e205fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x316f45e4d9a25645d166808155acf1df	\N	2026-01-02 02:05:43.192857+00	2026-01-02 02:05:43.192857+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	43	user-1	9	9007199254741065	created	\\x0000000000000000000000000000000099ddf420bf77176305fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x44caa15cb86b9ec80797f3f7828443bf	\N	2026-01-02 02:05:43.279048+00	2026-01-02 02:05:43.279048+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	90071992547409932	user-1	10	9007199254741067	created	\\x00000000000000000000000000000000eca41f4e88c0ead605fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xb8a34582cef8e5cf8b479a44b0b1c783	\N	2026-01-02 02:05:43.34632+00	2026-01-02 02:05:43.34632+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	8	user-1	11	9007199254741069	created	\\x00000000000000000000000000000000d00221331079853505fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x7c915add4d86f50f0cbc7a838d2e69c1	\N	2026-01-02 02:05:43.430938+00	2026-01-02 02:05:43.430938+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	12	user-1	12	9007199254741071	created	\\x000000000000000000000000000000003474f73f4450f79d05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x0fda9faeb066a5c88238d056278214b2	\N	2026-01-02 02:05:43.514575+00	2026-01-02 02:05:43.514575+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2.500	user-1	13	9007199254741073	created	\\x00000000000000000000000000000000d76eca1c232cce6305fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xd18ec325a6026099a38fefba7dd83677	\N	2026-01-02 02:05:43.595369+00	2026-01-02 02:05:43.595369+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	78.00	user-1	14	9007199254741075	created	\\x0000000000000000000000000000000095fc80ffe830d52b05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xb93f6b3da4d2bb8ae35d9e05f9c65a5b	\N	2026-01-02 02:05:43.664493+00	2026-01-02 02:05:43.664514+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0.1	user-1	15	9007199254741077	created	\\x0000000000000000000000000000000010762bb746781c9905fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xc018e233b9a3102dd5f7b6972e2e6b11	\N	2026-01-02 02:05:43.743336+00	2026-01-02 02:05:43.743336+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	1e+10	user-1	16	9007199254741079	created	\\x0000000000000000000000000000000077e7174a1561bac205fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xb10d1839f313e7c98b192cdc09dcd016	\N	2026-01-02 02:05:43.823137+00	2026-01-02 02:05:43.823137+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	10.2.0.0/16	user-1	18	9007199254741081	created	\\x00000000000000000000000000000000a20d05582476933605fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xcb112c482b044c9253b0aacfd142d508	\N	2026-01-02 02:05:43.971347+00	2026-01-02 02:05:43.971347+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	08:00:2b:01:02:02	user-1	19	9007199254741083	created	\\x00000000000000000000000000000000e8d97dd0f1b79c4c05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xa2c76ba618636a5891b5d01cdb038106	\N	2026-01-02 02:05:44.051655+00	2026-01-02 02:05:44.051655+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	1010	user-1	21	9007199254741085	created	\\x00000000000000000000000000000000dc9049376b2ea0e705fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x93b9aca3bfe0c403f9e39587e02fe63f	\N	2026-01-02 02:05:44.196407+00	2026-01-02 02:05:44.196407+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	\\x0103	user-1	23	9007199254741087	created	\\x0000000000000000000000000000000047ca7a3b44f3a59805fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xbdc63dd7662e102c7c94d19a8a998d36	\N	2026-01-02 02:05:44.273947+00	2026-01-02 02:05:44.273947+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2026-01-03	user-1	24	9007199254741089	created	\\x00000000000000000000000000000000e2819be467630bbb05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x34f57bcc269109e0a6cc13932a83c24a	\N	2026-01-02 02:05:44.350693+00	2026-01-02 02:05:44.350711+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2026-05-06 03:04:05.2	user-1	25	9007199254741091	created	\\x00000000000000000000000000000000a2beb009daa17b3e05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x3e70572f358d6cb068ec30b382a8c7fe	\N	2026-01-02 02:05:44.438773+00	2026-01-02 02:05:44.438773+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2026-05-06 01:04:02+00	user-1	26	9007199254741093	created	\\x00000000000000000000000000000000ce3977670352bd7705fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xf86b2365a5b118148ff30dceea1d01c4	\N	2026-01-02 02:05:44.506969+00	2026-01-02 02:05:44.506986+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	24:00:01	user-1	27	9007199254741095	created	\\x000000000000000000000000000000006ebc816e0d48905a05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xab5f3b5619a904f3cecfa314a03e5db5	\N	2026-01-02 02:05:44.58665+00	2026-01-02 02:05:44.58665+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	$2.00	user-1	28	9007199254741097	created	\\x0000000000000000000000000000000080036cf4c7d1750905fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x31935be98733059e0bbf88ba7f08fdc0	\N	2026-01-02 02:05:44.667733+00	2026-01-02 02:05:44.667733+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	red	user-1	29	9007199254741099	created	\\x000000000000000000000000000000005029cd186a023d6f05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xe3e93c0215469b825988f14abde5184b	\N	2026-01-02 02:05:44.747368+00	2026-01-02 02:05:44.747368+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	(2,"b c")	user-1	30	9007199254741101	created	\\x000000000000000000000000000000003b1a877eb43b9fbf05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x3c0cf6094097c924dcaa4053776d87a6	\N	2026-01-02 02:05:44.819283+00	2026-01-02 02:05:44.819283+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	{"a": 2}	user-1	31	9007199254741103	created	\\x000000000000000000000000000000002a9b26f92fe8552505fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x88cea476455a7dfa60076997883b3c47	\N	2026-01-02 02:05:44.900104+00	2026-01-02 02:05:44.900104+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	<a>2</a>	user-1	32	9007199254741105	created	\\x00000000000000000000000000000000e9cc3f1ebf0b89af05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x212c0b7bc3ca283d76ad49780c85dfb6	\N	2026-01-02 02:05:44.978508+00	2026-01-02 02:05:44.978529+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	(1,2)	user-1	33	9007199254741107	created	\\x00000000000000000000000000000000117659456a4f428205fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xbda21b08c8653e66797d4d1403bea20e	\N	2026-01-02 02:05:45.059587+00	2026-01-02 02:05:45.059587+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2	user-1	49	9007199254741109	created	\\x0000000000000000000000000000000029d7ba8fe95bf02405fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x0082d52ef6c37786283969ca825c35f0	\N	2026-01-02 02:05:45.143039+00	2026-01-02 02:05:45.143039+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2	user-1	50	9007199254741111	created	\\x000000000000000000000000000000009a4762ed3d6f803705fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x76ab8cdfd606f56c02fbe73d99b4b956	\N	2026-01-02 02:05:45.216729+00	2026-01-02 02:05:45.216729+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	10.0.0.1/32	user-1	17	9007199254741113	created	\\x0000000000000000000000000000000004c4c78401ad6bdda2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xc45554a15e4e05f29084b99361f41a72	\N	2026-01-02 02:05:45.543611+00	2026-01-02 02:05:45.54362+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	10.0.0.2/32	user-1	17	9007199254741115	created	\\x000000000000000000000000000000008d78db369d25cfae05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x77caa11693ba6d153952eda37524be09	\N	2026-01-02 02:05:45.54362+00	2026-01-02 02:05:45.54362+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	true	user-1	22	9007199254741117	created	\\x000000000000000000000000000000003195edf8c7c3cea6a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xc8f167c484e3f1d8e3e58b0c12021760	\N	2026-01-02 02:05:45.548987+00	2026-01-02 02:05:45.549013+00
9d776c15-1de4-413b-8e3c-79baa309e607	1	user-2	49	9007199254741119	created	\\x00000000000000000000000000000000a523ef469acad9e3a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xd6bfe55b385722e2d9eac3ff5990dd16	\N	2026-01-02 02:05:45.816967+00	2026-01-02 02:05:45.816967+00
9d776c15-1de4-413b-8e3c-79baa309e607	2	user-2	49	9007199254741121	created	\\x000000000000000000000000000000005f3fdc3622dc575805fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x4f242ea49c5f0c904ed6823d864c14c5	\N	2026-01-02 02:05:45.975334+00	2026-01-02 02:05:45.975334+00
bb3ea04c-4bb6-44b1-992f-fae1afe5357e	1	f00d0000-0000-4000-8000-00000000cafe	35	9007199254741123	created	\\x00000000000000000000000000000000c3da66fce846528fa2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xadf85763784d0f5386106110b38d01fa	\N	2026-01-02 02:05:46.475995+00	2026-01-02 02:05:46.475995+00
bb3ea04c-4bb6-44b1-992f-fae1afe5357e	2	f00d0000-0000-4000-8000-00000000cafe	35	9007199254741125	created	\\x00000000000000000000000000000000cdfe7d6ded8ef6e205fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xaf833a4f22a3508f22242d8794d33b52	\N	2026-01-02 02:05:46.551399+00	2026-01-02 02:05:46.551399+00
e60033b2-b052-4f77-bee1-0a6e1ca86e5f	1	varied	37	9007199254741127	created	\\x00000000000000000000000000000000ae484e29e0739fdaa2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x839a3c01f0137e07cc33bfa1d8fecafe	\N	2026-01-02 02:05:47.487111+00	2026-01-02 02:05:47.487111+00
e60033b2-b052-4f77-bee1-0a6e1ca86e5f	2	varied	37	9007199254741129	created	\\x0000000000000000000000000000000023977c8f7a0fcfc905fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x09d3ad7f38d1345a215b3514890c24ec	\N	2026-01-02 02:05:47.573418+00	2026-01-02 02:05:47.573418+00
8fff48cf-cc52-4477-823c-61dc3252b3cf	1	full-use	38	9007199254741131	created	\\x00000000000000000000000000000000def10a66c1465d9ca2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xa7e7072736f7dae735ecfe0f1b406a15	\N	2026-01-02 02:05:48.014505+00	2026-01-02 02:05:48.014505+00
8fff48cf-cc52-4477-823c-61dc3252b3cf	2	full-use	38	9007199254741133	created	\\x000000000000000000000000000000003c369e7ddecd3a6205fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xd0d9160710c145e1230e000bb9f598d1	\N	2026-01-02 02:05:48.088362+00	2026-01-02 02:05:48.088362+00
01926aa3-7392-4534-8214-2ad742bb3a45	1	Carla	40	9007199254741135	created	\\x000000000000000000000000000000000662f41616bd0f1ba2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xdf97d997a8c2ca7d01b723b9b8fa0e04	\N	2026-01-02 02:05:49.060705+00	2026-01-02 02:05:49.060741+00
01926aa3-7392-4534-8214-2ad742bb3a45	2	Carla	40	9007199254741137	created	\\x000000000000000000000000000000008407a0ddb67a454105fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x5850017e5566f241d3c7ce4dfb90727d	\N	2026-01-02 02:05:49.130166+00	2026-01-02 02:05:49.130166+00
bd7dc265-8cbb-428d-8123-c6beeed623c3	1	7.00	42	9007199254741139	created	\\x00000000000000000000000000000000a38b6c7adb05dbbea2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xaa477b7c95f4edfc6ab99a759e941379	\N	2026-01-02 02:05:50.107169+00	2026-01-02 02:05:50.107169+00
bd7dc265-8cbb-428d-8123-c6beeed623c3	2	7.00	42	9007199254741141	created	\\x00000000000000000000000000000000e4702bd84a97fe3c05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x31b88e5d3ca52436b57d3e66ec39fb2e	\N	2026-01-02 02:05:50.18623+00	2026-01-02 02:05:50.18623+00
f6ffda8e-fc01-40af-ae15-7e0ca9359810	1	1009	45	9007199254741143	created	\\x000000000000000000000000000000009014262ec412af82a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\xe1155bd9e885c1625dca3b56af4d2d17	\N	2026-01-02 02:05:51.688806+00	2026-01-02 02:05:51.688827+00
f6ffda8e-fc01-40af-ae15-7e0ca9359810	2	1009	45	9007199254741145	created	\\x00000000000000000000000000000000190ca81cb84220fc05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x8868f66d4e40f1ed78d408206c11f0ab	\N	2026-01-02 02:05:51.770515+00	2026-01-02 02:05:51.770515+00
a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	1	10.9.8.7	46	9007199254741147	created	\\x000000000000000000000000000000000bdbf95aa46490d0a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x1265f70f8c5fe2f295d5177f61ee98f5	\N	2026-01-02 02:05:52.234442+00	2026-01-02 02:05:52.234442+00
a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	2	10.9.8.7	46	9007199254741149	created	\\x0000000000000000000000000000000082bba3ec128a016705fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x578079392eec91161adb9ee9aa5f9fbd	\N	2026-01-02 02:05:52.313606+00	2026-01-02 02:05:52.313606+00
909d6500-352d-4321-be8c-3f49888dfa36	1	red	48	9007199254741151	created	\\x00000000000000000000000000000000fadb69fe4532460fa2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x7c576aa9c6838b9cf7e408ea792b610c	\N	2026-01-02 02:05:53.306435+00	2026-01-02 02:05:53.306435+00
909d6500-352d-4321-be8c-3f49888dfa36	2	red	48	9007199254741153	created	\\x00000000000000000000000000000000b81154081f185ccc05fac4751a17f94ce8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x10b9262e3be1b48c29d3ac1e4c00ee67	\N	2026-01-02 02:05:53.386395+00	2026-01-02 02:05:53.386395+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	5D0C0000-0000-4000-8000-00000000BEE1	user-1	0	9007199254740993	phone	\\x00000000000000000000000000000000807020c7326fc910a2152438ea175a81e8401b2d62b3ab7900000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x827834e354178480102e42ebb31be479	\N	2026-01-02 02:05:53.893928+00	2026-01-02 02:05:53.903557+00
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	w-1	user-1	0	9007199254741155	created	\\x0000000000000000000000000000000034be76740980ce4f633a3705db56350aa473302832ef43f600000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006ba457006b228667000000000000000000000000000000000000000000000000	\\x0000000000000000	\\x63c2c7c93f4824202caf1c418153dea9	\N	2026-01-02 02:05:53.911115+00	2026-01-02 02:05:53.911115+00
\.
COPY public.crm_lead_sources (id, relation, mapping, attached, attached_by, attached_at) FROM stdin;
1	public.by_id_0	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:30.332417+00
2	public.by_id_1	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:30.415753+00
3	public.by_id_2	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:30.502173+00
4	public.by_id_3	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:30.588903+00
5	public.by_id_4	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:30.670412+00
6	public.by_id_5	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:30.749312+00
7	public.by_id_6	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:30.83334+00
8	public.by_id_7	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:30.925171+00
9	public.by_id_8	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.006558+00
10	public.by_id_9	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.09027+00
11	public.by_id_10	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.172113+00
12	public.by_id_11	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.250824+00
13	public.by_id_12	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.33849+00
14	public.by_id_13	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.42831+00
15	public.by_id_14	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.510229+00
16	public.by_id_15	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.594166+00
17	public.by_id_16	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.673571+00
18	public.by_id_17	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.752911+00
19	public.by_id_18	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.831077+00
20	public.by_id_19	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.909072+00
21	public.by_id_20	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:31.988123+00
22	public.by_id_21	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.067175+00
23	public.by_id_22	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.14545+00
24	public.by_id_23	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.225502+00
25	public.by_id_24	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.302817+00
26	public.by_id_25	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.38242+00
27	public.by_id_26	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.463807+00
28	public.by_id_27	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.544929+00
29	public.by_id_28	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.626961+00
30	public.by_id_29	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.709128+00
31	public.by_id_30	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.792128+00
32	public.by_id_31	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.872896+00
33	public.by_id_32	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:32.954711+00
34	public.by_id_33	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:33.038466+00
35	public.by_user_0	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:33.123289+00
36	public.by_user_1	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:33.403775+00
37	public.by_user_2	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:33.676997+00
38	public.by_user_3	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:33.957896+00
39	public.by_user_4	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:34.23717+00
40	public.by_user_5	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:34.509878+00
41	public.by_user_6	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:34.790377+00
42	public.by_user_7	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:35.065311+00
43	public.by_user_8	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:35.348309+00
44	public.by_user_9	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:35.625168+00
45	public.by_user_10	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:35.907165+00
46	public.by_user_11	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:36.185217+00
47	public.by_user_12	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:36.459464+00
48	public.by_user_13	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:36.750225+00
49	public.composite	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:37.036039+00
50	public.partitioned	{"id": "id", "phone": "phone", "user_id": "user_id", "last_name": "last_name", "first_name": "first_name", "risk_score": "risk_score", "do_not_contact": ["dnc"]}	t	app	2026-01-02 02:05:37.12201+00
\.
COPY public.crm_sync_attempts (integration_id, lead_id, source_id, attempts, due_at, intent_at, intent_lead, phone_hash, email_hash, error_code, crashes) FROM stdin;
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	5d0c0000-0000-4000-8000-00000000bee5	1	1	2026-01-02 02:06:14.686943+00	2026-01-02 02:05:54.68361+00	es1:6b8a7f7b:HuJ3qAGWgHcnHzHHrD13Wp6dzwS5K+zA6/gOljAVmG5W3iROVfm8gy/q7i8RWYKU8mTB1N6mcXMV/EbH+aBfsF6Ry79Fj8MY2RRfGwX2AaU0jaPZYy6trguGy8TZrY9Q1GSqRBIQ5Kx6/FbsGw9g01FS4oB+KmxBoQj9TmYzy2TTTELUQDUPoVAQ2iJrrfznJaAiRGpJmLfMCizaeBJNXfT8m1Ig9M07j88xjJACvfCYjoaPu+M8NlPazz3xTpM1P5V9jmMg1AKY6CweAxo=	\\xc5b15e695829dc44486848821a173951	\N	no_record_id	0
\.
COPY public.crm_sync_hours (integration_id, hour, synced, failed) FROM stdin;
bb3ea04c-4bb6-44b1-992f-fae1afe5357e	2026-01-02 02:00:00+00	2	2
e60033b2-b052-4f77-bee1-0a6e1ca86e5f	2026-01-02 02:00:00+00	2	2
8fff48cf-cc52-4477-823c-61dc3252b3cf	2026-01-02 02:00:00+00	2	1
01926aa3-7392-4534-8214-2ad742bb3a45	2026-01-02 02:00:00+00	2	2
bd7dc265-8cbb-428d-8123-c6beeed623c3	2026-01-02 02:00:00+00	2	2
f6ffda8e-fc01-40af-ae15-7e0ca9359810	2026-01-02 02:00:00+00	2	2
a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	2026-01-02 02:00:00+00	2	2
909d6500-352d-4321-be8c-3f49888dfa36	2026-01-02 02:00:00+00	2	2
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	2026-01-02 02:00:00+00	65	65
9d776c15-1de4-413b-8e3c-79baa309e607	2026-01-02 02:00:00+00	2	2
\.
COPY public.crm_sync_logs (id, integration_id, user_id, crm_type, lead_id, sync_type, action, status, reason, attempt, crm_record_id, http_status, error_code, error_message, queued_at, logged_at, duration_ms) FROM stdin;
1	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	5d0c0000-0000-4000-8000-00000000bee4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:37.21142+00	2026-01-02 02:05:37.242636+00	4
2	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	text-4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:37.299183+00	2026-01-02 02:05:37.311451+00	9
3	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	v-4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:37.377319+00	2026-01-02 02:05:37.386097+00	3
4	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	d d	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:37.454963+00	2026-01-02 02:05:37.463772+00	\N
5	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	d	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:37.534919+00	2026-01-02 02:05:37.551012+00	13
6	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	y	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:37.613891+00	2026-01-02 02:05:37.62705+00	6
7	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	Lead-d	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:37.6958+00	2026-01-02 02:05:37.718526+00	3
8	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	Fourth	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:37.781647+00	2026-01-02 02:05:37.813691+00	2
9	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	45	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:37.869422+00	2026-01-02 02:05:37.874658+00	2
10	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	90071992547409934	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:37.946959+00	2026-01-02 02:05:37.951629+00	2
11	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.024056+00	2026-01-02 02:05:38.035118+00	8
12	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	14	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.10285+00	2026-01-02 02:05:38.109307+00	3
13	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	4.0	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.182079+00	2026-01-02 02:05:38.199277+00	12
14	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	80.25	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.266071+00	2026-01-02 02:05:38.278217+00	5
15	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	-0.5	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.345952+00	2026-01-02 02:05:38.356035+00	6
16	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	3	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.42666+00	2026-01-02 02:05:38.438576+00	8
17	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.1.0.0/16	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.504209+00	2026-01-02 02:05:38.516519+00	7
18	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.4.0.0/16	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.581397+00	2026-01-02 02:05:38.59899+00	9
19	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	08:00:2b:01:02:04	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.661378+00	2026-01-02 02:05:38.668698+00	3
20	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10111010	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:38.738823+00	2026-01-02 02:05:38.742529+00	\N
21	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.819864+00	2026-01-02 02:05:38.830115+00	3
22	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	\\x	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.89625+00	2026-01-02 02:05:38.906976+00	7
23	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-01-05	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:38.972092+00	2026-01-02 02:05:38.978268+00	3
24	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 03:04:05.4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.05144+00	2026-01-02 02:05:39.062408+00	3
25	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 01:04:04+00	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.131616+00	2026-01-02 02:05:39.143053+00	8
26	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	3 years	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.209878+00	2026-01-02 02:05:39.215946+00	2
27	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	$4.00	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.289456+00	2026-01-02 02:05:39.306262+00	10
28	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	a b	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.368439+00	2026-01-02 02:05:39.380053+00	6
29	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(4,d)	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.447977+00	2026-01-02 02:05:39.459202+00	7
30	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	{"a": 4}	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.526992+00	2026-01-02 02:05:39.535409+00	3
31	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	<a>4</a>	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.604397+00	2026-01-02 02:05:39.61137+00	2
32	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(1,4)	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.682042+00	2026-01-02 02:05:39.688606+00	2
33	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.760693+00	2026-01-02 02:05:39.767292+00	2
34	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:39.84127+00	2026-01-02 02:05:39.85086+00	3
35	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	5d0c0000-0000-4000-8000-00000000bee1	auto	created	success	\N	1	9007199254740993	200	\N	\N	2026-01-02 02:05:39.921206+00	2026-01-02 02:05:39.934635+00	7
36	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	0070	auto	created	success	\N	1	9007199254740995	200	\N	\N	2026-01-02 02:05:40.002638+00	2026-01-02 02:05:40.009023+00	3
37	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	v-1	auto	created	success	\N	1	9007199254740997	200	\N	\N	2026-01-02 02:05:40.079687+00	2026-01-02 02:05:40.08504+00	3
38	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	ab	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:40.155526+00	2026-01-02 02:05:40.157356+00	\N
39	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	a	auto	created	success	\N	1	9007199254740999	200	\N	\N	2026-01-02 02:05:40.228027+00	2026-01-02 02:05:40.233506+00	3
40	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	xyz	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:40.303228+00	2026-01-02 02:05:40.304704+00	\N
41	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	Lead-A	auto	created	success	\N	1	9007199254741001	200	\N	\N	2026-01-02 02:05:40.383198+00	2026-01-02 02:05:40.396734+00	9
42	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	Other	auto	created	success	\N	1	9007199254741003	200	\N	\N	2026-01-02 02:05:40.470914+00	2026-01-02 02:05:40.483219+00	9
43	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	42	auto	created	success	\N	1	9007199254741005	200	\N	\N	2026-01-02 02:05:40.544176+00	2026-01-02 02:05:40.549464+00	3
44	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	90071992547409931	auto	created	success	\N	1	9007199254741007	200	\N	\N	2026-01-02 02:05:40.617824+00	2026-01-02 02:05:40.623191+00	3
45	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	7	auto	created	success	\N	1	9007199254741009	200	\N	\N	2026-01-02 02:05:40.692955+00	2026-01-02 02:05:40.697854+00	2
46	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	11	auto	created	success	\N	1	9007199254741011	200	\N	\N	2026-01-02 02:05:40.767139+00	2026-01-02 02:05:40.777103+00	7
47	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1.50	auto	created	success	\N	1	9007199254741013	200	\N	\N	2026-01-02 02:05:40.843979+00	2026-01-02 02:05:40.852901+00	5
48	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	77.00	auto	created	success	\N	1	9007199254741015	200	\N	\N	2026-01-02 02:05:40.92395+00	2026-01-02 02:05:40.929228+00	1
49	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1e+15	auto	created	success	\N	1	9007199254741017	200	\N	\N	2026-01-02 02:05:41.000166+00	2026-01-02 02:05:41.005342+00	3
50	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	0.5	auto	created	success	\N	1	9007199254741019	200	\N	\N	2026-01-02 02:05:41.078616+00	2026-01-02 02:05:41.091321+00	9
51	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.0.0.1	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:41.157007+00	2026-01-02 02:05:41.15931+00	\N
52	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.1.0.0/16	auto	created	success	\N	1	9007199254741021	200	\N	\N	2026-01-02 02:05:41.232188+00	2026-01-02 02:05:41.23749+00	3
53	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	08:00:2b:01:02:01	auto	created	success	\N	1	9007199254741023	200	\N	\N	2026-01-02 02:05:41.312699+00	2026-01-02 02:05:41.322928+00	2
54	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10101010	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:41.391991+00	2026-01-02 02:05:41.39681+00	\N
55	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	101	auto	created	success	\N	1	9007199254741025	200	\N	\N	2026-01-02 02:05:41.467604+00	2026-01-02 02:05:41.47413+00	4
56	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	t	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:41.545058+00	2026-01-02 02:05:41.548508+00	\N
57	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	\\x0102	auto	created	success	\N	1	9007199254741027	200	\N	\N	2026-01-02 02:05:41.619907+00	2026-01-02 02:05:41.626309+00	3
58	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-01-02	auto	created	success	\N	1	9007199254741029	200	\N	\N	2026-01-02 02:05:41.696938+00	2026-01-02 02:05:41.705961+00	6
59	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 03:04:05.1	auto	created	success	\N	1	9007199254741031	200	\N	\N	2026-01-02 02:05:41.773505+00	2026-01-02 02:05:41.780306+00	4
60	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 01:04:01+00	auto	created	success	\N	1	9007199254741033	200	\N	\N	2026-01-02 02:05:41.851086+00	2026-01-02 02:05:41.868341+00	13
61	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1 day	auto	created	success	\N	1	9007199254741035	200	\N	\N	2026-01-02 02:05:41.930523+00	2026-01-02 02:05:41.936496+00	3
62	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	$1.50	auto	created	success	\N	1	9007199254741037	200	\N	\N	2026-01-02 02:05:42.010017+00	2026-01-02 02:05:42.020713+00	7
63	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	green	auto	created	success	\N	1	9007199254741039	200	\N	\N	2026-01-02 02:05:42.106758+00	2026-01-02 02:05:42.11284+00	3
64	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(1,a)	auto	created	success	\N	1	9007199254741041	200	\N	\N	2026-01-02 02:05:42.182295+00	2026-01-02 02:05:42.189716+00	3
65	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	{"a": 1}	auto	created	success	\N	1	9007199254741043	200	\N	\N	2026-01-02 02:05:42.257551+00	2026-01-02 02:05:42.266084+00	5
66	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	<a>1</a>	auto	created	success	\N	1	9007199254741045	200	\N	\N	2026-01-02 02:05:42.334551+00	2026-01-02 02:05:42.34372+00	6
67	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(1,1)	auto	created	success	\N	1	9007199254741047	200	\N	\N	2026-01-02 02:05:42.41051+00	2026-01-02 02:05:42.427727+00	13
68	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1	auto	created	success	\N	1	9007199254741049	200	\N	\N	2026-01-02 02:05:42.489442+00	2026-01-02 02:05:42.497379+00	5
69	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1	auto	created	success	\N	1	9007199254741051	200	\N	\N	2026-01-02 02:05:42.568435+00	2026-01-02 02:05:42.58346+00	12
70	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	5d0c0000-0000-4000-8000-00000000bee2	auto	created	success	\N	1	9007199254741053	200	\N	\N	2026-01-02 02:05:42.639664+00	2026-01-02 02:05:42.643623+00	2
71	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	 with blanks 	auto	created	success	\N	1	9007199254741055	200	\N	\N	2026-01-02 02:05:42.713385+00	2026-01-02 02:05:42.727396+00	11
72	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	v-2	auto	created	success	\N	1	9007199254741057	200	\N	\N	2026-01-02 02:05:42.790536+00	2026-01-02 02:05:42.799646+00	6
73	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	full-len	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:42.864252+00	2026-01-02 02:05:42.866099+00	\N
74	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	b	auto	created	success	\N	1	9007199254741059	200	\N	\N	2026-01-02 02:05:42.941025+00	2026-01-02 02:05:42.950508+00	3
75	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	uvwxyz	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:43.023398+00	2026-01-02 02:05:43.024862+00	\N
76	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	lead-b	auto	created	success	\N	1	9007199254741061	200	\N	\N	2026-01-02 02:05:43.102981+00	2026-01-02 02:05:43.112923+00	7
77	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	another	auto	created	success	\N	1	9007199254741063	200	\N	\N	2026-01-02 02:05:43.188867+00	2026-01-02 02:05:43.19308+00	2
78	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	43	auto	created	success	\N	1	9007199254741065	200	\N	\N	2026-01-02 02:05:43.264708+00	2026-01-02 02:05:43.279386+00	7
79	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	90071992547409932	auto	created	success	\N	1	9007199254741067	200	\N	\N	2026-01-02 02:05:43.340726+00	2026-01-02 02:05:43.346463+00	3
80	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	8	auto	created	success	\N	1	9007199254741069	200	\N	\N	2026-01-02 02:05:43.420393+00	2026-01-02 02:05:43.431455+00	7
81	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	12	auto	created	success	\N	1	9007199254741071	200	\N	\N	2026-01-02 02:05:43.506484+00	2026-01-02 02:05:43.514883+00	6
82	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2.500	auto	created	success	\N	1	9007199254741073	200	\N	\N	2026-01-02 02:05:43.583688+00	2026-01-02 02:05:43.595738+00	9
83	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	78.00	auto	created	success	\N	1	9007199254741075	200	\N	\N	2026-01-02 02:05:43.659055+00	2026-01-02 02:05:43.664759+00	2
84	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	0.1	auto	created	success	\N	1	9007199254741077	200	\N	\N	2026-01-02 02:05:43.733334+00	2026-01-02 02:05:43.743679+00	4
85	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1e+10	auto	created	success	\N	1	9007199254741079	200	\N	\N	2026-01-02 02:05:43.809384+00	2026-01-02 02:05:43.823519+00	7
86	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.0.0.2	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:43.88477+00	2026-01-02 02:05:43.886615+00	\N
87	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.2.0.0/16	auto	created	success	\N	1	9007199254741081	200	\N	\N	2026-01-02 02:05:43.960535+00	2026-01-02 02:05:43.97189+00	3
88	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	08:00:2b:01:02:02	auto	created	success	\N	1	9007199254741083	200	\N	\N	2026-01-02 02:05:44.04035+00	2026-01-02 02:05:44.052173+00	9
89	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10101011	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:44.118405+00	2026-01-02 02:05:44.122517+00	\N
90	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1010	auto	created	success	\N	1	9007199254741085	200	\N	\N	2026-01-02 02:05:44.19189+00	2026-01-02 02:05:44.196659+00	2
91	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	\\x0103	auto	created	success	\N	1	9007199254741087	200	\N	\N	2026-01-02 02:05:44.268329+00	2026-01-02 02:05:44.274081+00	3
92	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-01-03	auto	created	success	\N	1	9007199254741089	200	\N	\N	2026-01-02 02:05:44.343961+00	2026-01-02 02:05:44.351017+00	4
93	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 03:04:05.2	auto	created	success	\N	1	9007199254741091	200	\N	\N	2026-01-02 02:05:44.423133+00	2026-01-02 02:05:44.439215+00	8
94	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 01:04:02+00	auto	created	success	\N	1	9007199254741093	200	\N	\N	2026-01-02 02:05:44.502485+00	2026-01-02 02:05:44.507115+00	2
95	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	24:00:01	auto	created	success	\N	1	9007199254741095	200	\N	\N	2026-01-02 02:05:44.580973+00	2026-01-02 02:05:44.586803+00	3
96	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	$2.00	auto	created	success	\N	1	9007199254741097	200	\N	\N	2026-01-02 02:05:44.657219+00	2026-01-02 02:05:44.668027+00	8
97	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	red	auto	created	success	\N	1	9007199254741099	200	\N	\N	2026-01-02 02:05:44.735225+00	2026-01-02 02:05:44.747614+00	10
98	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(2,"b c")	auto	created	success	\N	1	9007199254741101	200	\N	\N	2026-01-02 02:05:44.810777+00	2026-01-02 02:05:44.819739+00	6
99	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	{"a": 2}	auto	created	success	\N	1	9007199254741103	200	\N	\N	2026-01-02 02:05:44.888692+00	2026-01-02 02:05:44.900513+00	4
100	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	<a>2</a>	auto	created	success	\N	1	9007199254741105	200	\N	\N	2026-01-02 02:05:44.970868+00	2026-01-02 02:05:44.978739+00	4
101	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(1,2)	auto	created	success	\N	1	9007199254741107	200	\N	\N	2026-01-02 02:05:45.054872+00	2026-01-02 02:05:45.059957+00	2
102	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2	auto	created	success	\N	1	9007199254741109	200	\N	\N	2026-01-02 02:05:45.132481+00	2026-01-02 02:05:45.143219+00	3
103	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2	auto	created	success	\N	1	9007199254741111	200	\N	\N	2026-01-02 02:05:45.210582+00	2026-01-02 02:05:45.217039+00	3
207	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	1	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:46.237067+00	2026-01-02 02:05:46.240047+00	\N
104	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	5d0c0000-0000-4000-8000-00000000bee1	manual	none	skipped	unchanged	1	9007199254740993	\N	\N	\N	2026-01-02 02:05:45.37867+00	2026-01-02 02:05:45.424054+00	\N
105	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	5d0c0000-0000-4000-8000-00000000bee2	manual	none	skipped	unchanged	1	9007199254741053	\N	\N	\N	2026-01-02 02:05:45.37867+00	2026-01-02 02:05:45.424054+00	\N
106	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	0070	manual	none	skipped	unchanged	1	9007199254740995	\N	\N	\N	2026-01-02 02:05:45.379811+00	2026-01-02 02:05:45.424054+00	\N
107	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	 with blanks 	manual	none	skipped	unchanged	1	9007199254741055	\N	\N	\N	2026-01-02 02:05:45.379811+00	2026-01-02 02:05:45.424054+00	\N
108	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	v-1	manual	none	skipped	unchanged	1	9007199254740997	\N	\N	\N	2026-01-02 02:05:45.380637+00	2026-01-02 02:05:45.424054+00	\N
109	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	v-2	manual	none	skipped	unchanged	1	9007199254741057	\N	\N	\N	2026-01-02 02:05:45.380637+00	2026-01-02 02:05:45.440511+00	\N
110	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	a	manual	none	skipped	unchanged	1	9007199254740999	\N	\N	\N	2026-01-02 02:05:45.382488+00	2026-01-02 02:05:45.452796+00	\N
111	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	b	manual	none	skipped	unchanged	1	9007199254741059	\N	\N	\N	2026-01-02 02:05:45.382488+00	2026-01-02 02:05:45.452796+00	\N
112	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	5d0c0000-0000-4000-8000-00000000bee4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.37867+00	2026-01-02 02:05:45.452796+00	21
113	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	Lead-A	manual	none	skipped	unchanged	1	9007199254741001	\N	\N	\N	2026-01-02 02:05:45.384195+00	2026-01-02 02:05:45.460883+00	\N
114	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	lead-b	manual	none	skipped	unchanged	1	9007199254741061	\N	\N	\N	2026-01-02 02:05:45.384195+00	2026-01-02 02:05:45.460883+00	\N
115	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	Other	manual	none	skipped	unchanged	1	9007199254741003	\N	\N	\N	2026-01-02 02:05:45.385001+00	2026-01-02 02:05:45.477189+00	\N
116	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	another	manual	none	skipped	unchanged	1	9007199254741063	\N	\N	\N	2026-01-02 02:05:45.385001+00	2026-01-02 02:05:45.477189+00	\N
117	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	42	manual	none	skipped	unchanged	1	9007199254741005	\N	\N	\N	2026-01-02 02:05:45.385718+00	2026-01-02 02:05:45.480772+00	\N
118	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	text-4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.379811+00	2026-01-02 02:05:45.490599+00	59
119	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	y	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.383286+00	2026-01-02 02:05:45.490599+00	36
120	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	43	manual	none	skipped	unchanged	1	9007199254741065	\N	\N	\N	2026-01-02 02:05:45.385718+00	2026-01-02 02:05:45.490599+00	\N
121	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	90071992547409931	manual	none	skipped	unchanged	1	9007199254741007	\N	\N	\N	2026-01-02 02:05:45.386499+00	2026-01-02 02:05:45.492777+00	\N
122	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	90071992547409932	manual	none	skipped	unchanged	1	9007199254741067	\N	\N	\N	2026-01-02 02:05:45.386499+00	2026-01-02 02:05:45.492777+00	\N
123	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	7	manual	none	skipped	unchanged	1	9007199254741009	\N	\N	\N	2026-01-02 02:05:45.38715+00	2026-01-02 02:05:45.494388+00	\N
124	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	8	manual	none	skipped	unchanged	1	9007199254741069	\N	\N	\N	2026-01-02 02:05:45.38715+00	2026-01-02 02:05:45.495299+00	\N
125	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	v-4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.380637+00	2026-01-02 02:05:45.507965+00	76
126	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	11	manual	none	skipped	unchanged	1	9007199254741011	\N	\N	\N	2026-01-02 02:05:45.387781+00	2026-01-02 02:05:45.509379+00	\N
127	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	12	manual	none	skipped	unchanged	1	9007199254741071	\N	\N	\N	2026-01-02 02:05:45.387781+00	2026-01-02 02:05:45.510376+00	\N
128	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	Lead-d	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.384195+00	2026-01-02 02:05:45.516352+00	49
129	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1.50	manual	none	skipped	unchanged	1	9007199254741013	\N	\N	\N	2026-01-02 02:05:45.388484+00	2026-01-02 02:05:45.517252+00	\N
130	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2.500	manual	none	skipped	unchanged	1	9007199254741073	\N	\N	\N	2026-01-02 02:05:45.388484+00	2026-01-02 02:05:45.524444+00	\N
131	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	d	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.382488+00	2026-01-02 02:05:45.524444+00	81
132	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	90071992547409934	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.386499+00	2026-01-02 02:05:45.524444+00	30
133	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.38715+00	2026-01-02 02:05:45.524444+00	29
134	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	77.00	manual	none	skipped	unchanged	1	9007199254741015	\N	\N	\N	2026-01-02 02:05:45.389996+00	2026-01-02 02:05:45.52971+00	\N
135	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	78.00	manual	none	skipped	unchanged	1	9007199254741075	\N	\N	\N	2026-01-02 02:05:45.389996+00	2026-01-02 02:05:45.52971+00	\N
136	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	4.0	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.388484+00	2026-01-02 02:05:45.52971+00	18
137	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	Fourth	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.385001+00	2026-01-02 02:05:45.532703+00	55
138	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1e+15	manual	none	skipped	unchanged	1	9007199254741017	\N	\N	\N	2026-01-02 02:05:45.390683+00	2026-01-02 02:05:45.532703+00	\N
139	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	0.1	manual	none	skipped	unchanged	1	9007199254741077	\N	\N	\N	2026-01-02 02:05:45.390683+00	2026-01-02 02:05:45.532703+00	\N
140	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	0.5	manual	none	skipped	unchanged	1	9007199254741019	\N	\N	\N	2026-01-02 02:05:45.391461+00	2026-01-02 02:05:45.536083+00	\N
141	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1e+10	manual	none	skipped	unchanged	1	9007199254741079	\N	\N	\N	2026-01-02 02:05:45.391461+00	2026-01-02 02:05:45.536083+00	\N
142	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	45	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.385718+00	2026-01-02 02:05:45.536083+00	54
143	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	14	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.387781+00	2026-01-02 02:05:45.536083+00	39
144	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	80.25	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.389996+00	2026-01-02 02:05:45.538487+00	7
145	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	-0.5	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.390683+00	2026-01-02 02:05:45.538487+00	7
146	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.1.0.0/16	manual	none	skipped	unchanged	1	9007199254741021	\N	\N	\N	2026-01-02 02:05:45.392904+00	2026-01-02 02:05:45.538487+00	\N
147	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.2.0.0/16	manual	none	skipped	unchanged	1	9007199254741081	\N	\N	\N	2026-01-02 02:05:45.392904+00	2026-01-02 02:05:45.539959+00	\N
148	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	08:00:2b:01:02:01	manual	none	skipped	unchanged	1	9007199254741023	\N	\N	\N	2026-01-02 02:05:45.393688+00	2026-01-02 02:05:45.539959+00	\N
149	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	3	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.391461+00	2026-01-02 02:05:45.542121+00	8
150	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	08:00:2b:01:02:02	manual	none	skipped	unchanged	1	9007199254741083	\N	\N	\N	2026-01-02 02:05:45.393688+00	2026-01-02 02:05:45.542121+00	\N
151	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.1.0.0/16	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.392174+00	2026-01-02 02:05:45.54375+00	7
152	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.0.0.1/32	manual	created	success	\N	1	9007199254741113	200	\N	\N	2026-01-02 02:05:45.392174+00	2026-01-02 02:05:45.54375+00	4
153	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.0.0.2/32	manual	created	success	\N	1	9007199254741115	200	\N	\N	2026-01-02 02:05:45.392174+00	2026-01-02 02:05:45.54375+00	4
154	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	10.4.0.0/16	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.392904+00	2026-01-02 02:05:45.545634+00	6
155	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	08:00:2b:01:02:04	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.393688+00	2026-01-02 02:05:45.545634+00	4
156	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	101	manual	none	skipped	unchanged	1	9007199254741025	\N	\N	\N	2026-01-02 02:05:45.395344+00	2026-01-02 02:05:45.545634+00	\N
157	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1010	manual	none	skipped	unchanged	1	9007199254741085	\N	\N	\N	2026-01-02 02:05:45.395344+00	2026-01-02 02:05:45.545634+00	\N
158	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	\\x0102	manual	none	skipped	unchanged	1	9007199254741027	\N	\N	\N	2026-01-02 02:05:45.396816+00	2026-01-02 02:05:45.545634+00	\N
159	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	\\x0103	manual	none	skipped	unchanged	1	9007199254741087	\N	\N	\N	2026-01-02 02:05:45.396816+00	2026-01-02 02:05:45.547568+00	\N
160	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-01-02	manual	none	skipped	unchanged	1	9007199254741029	\N	\N	\N	2026-01-02 02:05:45.397694+00	2026-01-02 02:05:45.547568+00	\N
161	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-01-03	manual	none	skipped	unchanged	1	9007199254741089	\N	\N	\N	2026-01-02 02:05:45.397694+00	2026-01-02 02:05:45.547568+00	\N
162	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.395344+00	2026-01-02 02:05:45.547568+00	3
163	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 03:04:05.1	manual	none	skipped	unchanged	1	9007199254741031	\N	\N	\N	2026-01-02 02:05:45.398439+00	2026-01-02 02:05:45.549156+00	\N
164	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 03:04:05.2	manual	none	skipped	unchanged	1	9007199254741091	\N	\N	\N	2026-01-02 02:05:45.398439+00	2026-01-02 02:05:45.549156+00	\N
165	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 01:04:01+00	manual	none	skipped	unchanged	1	9007199254741033	\N	\N	\N	2026-01-02 02:05:45.399189+00	2026-01-02 02:05:45.549156+00	\N
166	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	true	manual	created	success	\N	1	9007199254741117	200	\N	\N	2026-01-02 02:05:45.396103+00	2026-01-02 02:05:45.549156+00	2
167	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	\\x	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.396816+00	2026-01-02 02:05:45.549156+00	2
168	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 01:04:02+00	manual	none	skipped	unchanged	1	9007199254741093	\N	\N	\N	2026-01-02 02:05:45.399189+00	2026-01-02 02:05:45.550955+00	\N
169	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1 day	manual	none	skipped	unchanged	1	9007199254741035	\N	\N	\N	2026-01-02 02:05:45.399873+00	2026-01-02 02:05:45.550955+00	\N
170	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	24:00:01	manual	none	skipped	unchanged	1	9007199254741095	\N	\N	\N	2026-01-02 02:05:45.399873+00	2026-01-02 02:05:45.550955+00	\N
171	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-01-05	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.397694+00	2026-01-02 02:05:45.550955+00	2
172	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 03:04:05.4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.398439+00	2026-01-02 02:05:45.550955+00	2
173	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	$1.50	manual	none	skipped	unchanged	1	9007199254741037	\N	\N	\N	2026-01-02 02:05:45.40075+00	2026-01-02 02:05:45.552719+00	\N
174	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	$2.00	manual	none	skipped	unchanged	1	9007199254741097	\N	\N	\N	2026-01-02 02:05:45.40075+00	2026-01-02 02:05:45.552719+00	\N
175	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	green	manual	none	skipped	unchanged	1	9007199254741039	\N	\N	\N	2026-01-02 02:05:45.401553+00	2026-01-02 02:05:45.552719+00	\N
176	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	red	manual	none	skipped	unchanged	1	9007199254741099	\N	\N	\N	2026-01-02 02:05:45.401553+00	2026-01-02 02:05:45.552719+00	\N
177	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2026-05-06 01:04:04+00	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.399189+00	2026-01-02 02:05:45.552719+00	3
178	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(1,a)	manual	none	skipped	unchanged	1	9007199254741041	\N	\N	\N	2026-01-02 02:05:45.402338+00	2026-01-02 02:05:45.554364+00	\N
179	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(2,"b c")	manual	none	skipped	unchanged	1	9007199254741101	\N	\N	\N	2026-01-02 02:05:45.402338+00	2026-01-02 02:05:45.554364+00	\N
180	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	{"a": 1}	manual	none	skipped	unchanged	1	9007199254741043	\N	\N	\N	2026-01-02 02:05:45.403036+00	2026-01-02 02:05:45.554364+00	\N
181	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	3 years	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.399873+00	2026-01-02 02:05:45.554364+00	2
182	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	$4.00	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.40075+00	2026-01-02 02:05:45.554364+00	2
183	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	{"a": 2}	manual	none	skipped	unchanged	1	9007199254741103	\N	\N	\N	2026-01-02 02:05:45.403036+00	2026-01-02 02:05:45.555749+00	\N
184	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	<a>1</a>	manual	none	skipped	unchanged	1	9007199254741045	\N	\N	\N	2026-01-02 02:05:45.404027+00	2026-01-02 02:05:45.555749+00	\N
185	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	<a>2</a>	manual	none	skipped	unchanged	1	9007199254741105	\N	\N	\N	2026-01-02 02:05:45.404027+00	2026-01-02 02:05:45.555749+00	\N
186	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	a b	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.401553+00	2026-01-02 02:05:45.555749+00	2
187	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(1,1)	manual	none	skipped	unchanged	1	9007199254741047	\N	\N	\N	2026-01-02 02:05:45.404756+00	2026-01-02 02:05:45.557181+00	\N
188	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(1,2)	manual	none	skipped	unchanged	1	9007199254741107	\N	\N	\N	2026-01-02 02:05:45.404756+00	2026-01-02 02:05:45.557181+00	\N
189	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1	manual	none	skipped	unchanged	1	9007199254741049	\N	\N	\N	2026-01-02 02:05:45.418383+00	2026-01-02 02:05:45.557181+00	\N
190	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(4,d)	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.402338+00	2026-01-02 02:05:45.557181+00	2
191	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	{"a": 4}	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.403036+00	2026-01-02 02:05:45.557181+00	2
192	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2	manual	none	skipped	unchanged	1	9007199254741109	\N	\N	\N	2026-01-02 02:05:45.418383+00	2026-01-02 02:05:45.558957+00	\N
193	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	1	manual	none	skipped	unchanged	1	9007199254741051	\N	\N	\N	2026-01-02 02:05:45.419891+00	2026-01-02 02:05:45.558957+00	\N
194	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	2	manual	none	skipped	unchanged	1	9007199254741111	\N	\N	\N	2026-01-02 02:05:45.419891+00	2026-01-02 02:05:45.558957+00	\N
195	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	<a>4</a>	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.404027+00	2026-01-02 02:05:45.558957+00	2
196	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	(1,4)	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.404756+00	2026-01-02 02:05:45.558957+00	2
197	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.418383+00	2026-01-02 02:05:45.559729+00	1
198	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.419891+00	2026-01-02 02:05:45.560911+00	1
199	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:45.656622+00	2026-01-02 02:05:45.667307+00	8
200	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	4	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:45.735329+00	2026-01-02 02:05:45.736792+00	\N
201	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	1	auto	created	success	\N	1	9007199254741119	200	\N	\N	2026-01-02 02:05:45.807377+00	2026-01-02 02:05:45.817173+00	8
202	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	1	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:45.882422+00	2026-01-02 02:05:45.884071+00	\N
203	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	2	auto	created	success	\N	1	9007199254741121	200	\N	\N	2026-01-02 02:05:45.957578+00	2026-01-02 02:05:45.975725+00	14
204	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	2	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:46.038533+00	2026-01-02 02:05:46.040658+00	\N
205	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	1	manual	none	skipped	unchanged	1	9007199254741119	\N	\N	\N	2026-01-02 02:05:46.235647+00	2026-01-02 02:05:46.23995+00	\N
206	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	2	manual	none	skipped	unchanged	1	9007199254741121	\N	\N	\N	2026-01-02 02:05:46.235647+00	2026-01-02 02:05:46.23995+00	\N
208	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	2	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:46.237067+00	2026-01-02 02:05:46.240088+00	\N
209	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	lofty	4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:46.235647+00	2026-01-02 02:05:46.251221+00	10
210	bb3ea04c-4bb6-44b1-992f-fae1afe5357e	f00d0000-0000-4000-8000-00000000cafe	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:46.390184+00	2026-01-02 02:05:46.398002+00	4
211	bb3ea04c-4bb6-44b1-992f-fae1afe5357e	f00d0000-0000-4000-8000-00000000cafe	lofty	1	auto	created	success	\N	1	9007199254741123	200	\N	\N	2026-01-02 02:05:46.468591+00	2026-01-02 02:05:46.476223+00	3
212	bb3ea04c-4bb6-44b1-992f-fae1afe5357e	f00d0000-0000-4000-8000-00000000cafe	lofty	2	auto	created	success	\N	1	9007199254741125	200	\N	\N	2026-01-02 02:05:46.543575+00	2026-01-02 02:05:46.551786+00	6
213	bb3ea04c-4bb6-44b1-992f-fae1afe5357e	f00d0000-0000-4000-8000-00000000cafe	lofty	1	manual	none	skipped	unchanged	1	9007199254741123	\N	\N	\N	2026-01-02 02:05:46.731831+00	2026-01-02 02:05:46.745709+00	\N
214	bb3ea04c-4bb6-44b1-992f-fae1afe5357e	f00d0000-0000-4000-8000-00000000cafe	lofty	2	manual	none	skipped	unchanged	1	9007199254741125	\N	\N	\N	2026-01-02 02:05:46.731831+00	2026-01-02 02:05:46.745709+00	\N
215	bb3ea04c-4bb6-44b1-992f-fae1afe5357e	f00d0000-0000-4000-8000-00000000cafe	lofty	4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:46.731831+00	2026-01-02 02:05:46.756443+00	8
216	1230f9a1-0dc4-4e61-b409-558923009e3d	F00D0000-0000-4000-8000-00000000BEEF	lofty	4	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:47.222664+00	2026-01-02 02:05:47.238412+00	\N
217	1230f9a1-0dc4-4e61-b409-558923009e3d	F00D0000-0000-4000-8000-00000000BEEF	lofty	1	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:47.222664+00	2026-01-02 02:05:47.23859+00	\N
218	1230f9a1-0dc4-4e61-b409-558923009e3d	F00D0000-0000-4000-8000-00000000BEEF	lofty	2	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:47.222664+00	2026-01-02 02:05:47.238602+00	\N
219	e60033b2-b052-4f77-bee1-0a6e1ca86e5f	varied	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:47.390774+00	2026-01-02 02:05:47.411576+00	12
220	e60033b2-b052-4f77-bee1-0a6e1ca86e5f	varied	lofty	1	auto	created	success	\N	1	9007199254741127	200	\N	\N	2026-01-02 02:05:47.478674+00	2026-01-02 02:05:47.487415+00	3
221	e60033b2-b052-4f77-bee1-0a6e1ca86e5f	varied	lofty	2	auto	created	success	\N	1	9007199254741129	200	\N	\N	2026-01-02 02:05:47.559619+00	2026-01-02 02:05:47.573753+00	10
222	e60033b2-b052-4f77-bee1-0a6e1ca86e5f	varied	lofty	1	manual	none	skipped	unchanged	1	9007199254741127	\N	\N	\N	2026-01-02 02:05:47.754799+00	2026-01-02 02:05:47.768166+00	\N
223	e60033b2-b052-4f77-bee1-0a6e1ca86e5f	varied	lofty	2	manual	none	skipped	unchanged	1	9007199254741129	\N	\N	\N	2026-01-02 02:05:47.754799+00	2026-01-02 02:05:47.768166+00	\N
224	e60033b2-b052-4f77-bee1-0a6e1ca86e5f	varied	lofty	4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:47.754799+00	2026-01-02 02:05:47.775745+00	7
225	8fff48cf-cc52-4477-823c-61dc3252b3cf	full-use	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:47.921426+00	2026-01-02 02:05:47.929922+00	3
226	8fff48cf-cc52-4477-823c-61dc3252b3cf	full-use	lofty	1	auto	created	success	\N	1	9007199254741131	200	\N	\N	2026-01-02 02:05:48.004472+00	2026-01-02 02:05:48.014912+00	7
227	8fff48cf-cc52-4477-823c-61dc3252b3cf	full-use	lofty	2	auto	created	success	\N	1	9007199254741133	200	\N	\N	2026-01-02 02:05:48.082826+00	2026-01-02 02:05:48.088655+00	3
228	e36f0973-65e5-49d4-a718-7e396d5bfd4d	padded	lofty	4	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:48.440182+00	2026-01-02 02:05:48.443648+00	\N
229	e36f0973-65e5-49d4-a718-7e396d5bfd4d	padded	lofty	1	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:48.517648+00	2026-01-02 02:05:48.525378+00	\N
230	e36f0973-65e5-49d4-a718-7e396d5bfd4d	padded	lofty	2	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:48.600157+00	2026-01-02 02:05:48.602058+00	\N
231	01926aa3-7392-4534-8214-2ad742bb3a45	Carla	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:48.96549+00	2026-01-02 02:05:48.981037+00	10
232	01926aa3-7392-4534-8214-2ad742bb3a45	Carla	lofty	1	auto	created	success	\N	1	9007199254741135	200	\N	\N	2026-01-02 02:05:49.045601+00	2026-01-02 02:05:49.06104+00	10
233	01926aa3-7392-4534-8214-2ad742bb3a45	Carla	lofty	2	auto	created	success	\N	1	9007199254741137	200	\N	\N	2026-01-02 02:05:49.124071+00	2026-01-02 02:05:49.130522+00	3
234	01926aa3-7392-4534-8214-2ad742bb3a45	Carla	lofty	1	manual	none	skipped	unchanged	1	9007199254741135	\N	\N	\N	2026-01-02 02:05:49.320477+00	2026-01-02 02:05:49.33159+00	\N
235	01926aa3-7392-4534-8214-2ad742bb3a45	Carla	lofty	2	manual	none	skipped	unchanged	1	9007199254741137	\N	\N	\N	2026-01-02 02:05:49.320477+00	2026-01-02 02:05:49.33159+00	\N
236	01926aa3-7392-4534-8214-2ad742bb3a45	Carla	lofty	4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:49.320477+00	2026-01-02 02:05:49.337153+00	4
237	e5740cd1-f990-43d2-acba-9aad0d2b22bf	NORA	lofty	4	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:49.855008+00	2026-01-02 02:05:49.86723+00	\N
238	e5740cd1-f990-43d2-acba-9aad0d2b22bf	NORA	lofty	1	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:49.855008+00	2026-01-02 02:05:49.867334+00	\N
239	e5740cd1-f990-43d2-acba-9aad0d2b22bf	NORA	lofty	2	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:49.855008+00	2026-01-02 02:05:49.867343+00	\N
240	bd7dc265-8cbb-428d-8123-c6beeed623c3	7.00	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:50.018686+00	2026-01-02 02:05:50.031675+00	7
241	bd7dc265-8cbb-428d-8123-c6beeed623c3	7.00	lofty	1	auto	created	success	\N	1	9007199254741139	200	\N	\N	2026-01-02 02:05:50.099295+00	2026-01-02 02:05:50.108345+00	3
242	bd7dc265-8cbb-428d-8123-c6beeed623c3	7.00	lofty	2	auto	created	success	\N	1	9007199254741141	200	\N	\N	2026-01-02 02:05:50.179803+00	2026-01-02 02:05:50.186452+00	3
243	bd7dc265-8cbb-428d-8123-c6beeed623c3	7.00	lofty	1	manual	none	skipped	unchanged	1	9007199254741139	\N	\N	\N	2026-01-02 02:05:50.384697+00	2026-01-02 02:05:50.395088+00	\N
244	bd7dc265-8cbb-428d-8123-c6beeed623c3	7.00	lofty	2	manual	none	skipped	unchanged	1	9007199254741141	\N	\N	\N	2026-01-02 02:05:50.384697+00	2026-01-02 02:05:50.395088+00	\N
245	bd7dc265-8cbb-428d-8123-c6beeed623c3	7.00	lofty	4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:50.384697+00	2026-01-02 02:05:50.40339+00	7
246	7f56e47b-1226-4536-90ab-778d18e495e1	8	lofty	4	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:50.91205+00	2026-01-02 02:05:50.923249+00	\N
247	7f56e47b-1226-4536-90ab-778d18e495e1	8	lofty	1	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:50.91205+00	2026-01-02 02:05:50.923325+00	\N
248	7f56e47b-1226-4536-90ab-778d18e495e1	8	lofty	2	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:50.91205+00	2026-01-02 02:05:50.923334+00	\N
249	21c5a849-668a-47ce-91f9-1161a1d58dd4	1e+16	lofty	4	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:51.079978+00	2026-01-02 02:05:51.086089+00	\N
250	21c5a849-668a-47ce-91f9-1161a1d58dd4	1e+16	lofty	1	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:51.160308+00	2026-01-02 02:05:51.162302+00	\N
251	21c5a849-668a-47ce-91f9-1161a1d58dd4	1e+16	lofty	2	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:51.237392+00	2026-01-02 02:05:51.239618+00	\N
252	f6ffda8e-fc01-40af-ae15-7e0ca9359810	1009	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:51.600671+00	2026-01-02 02:05:51.609374+00	4
253	f6ffda8e-fc01-40af-ae15-7e0ca9359810	1009	lofty	1	auto	created	success	\N	1	9007199254741143	200	\N	\N	2026-01-02 02:05:51.684254+00	2026-01-02 02:05:51.689072+00	2
254	f6ffda8e-fc01-40af-ae15-7e0ca9359810	1009	lofty	2	auto	created	success	\N	1	9007199254741145	200	\N	\N	2026-01-02 02:05:51.76497+00	2026-01-02 02:05:51.770726+00	3
255	f6ffda8e-fc01-40af-ae15-7e0ca9359810	1009	lofty	1	manual	none	skipped	unchanged	1	9007199254741143	\N	\N	\N	2026-01-02 02:05:51.976423+00	2026-01-02 02:05:51.983907+00	\N
256	f6ffda8e-fc01-40af-ae15-7e0ca9359810	1009	lofty	2	manual	none	skipped	unchanged	1	9007199254741145	\N	\N	\N	2026-01-02 02:05:51.976423+00	2026-01-02 02:05:51.983907+00	\N
257	f6ffda8e-fc01-40af-ae15-7e0ca9359810	1009	lofty	4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:51.976423+00	2026-01-02 02:05:51.992418+00	7
258	a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	10.9.8.7	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:52.149443+00	2026-01-02 02:05:52.160118+00	3
259	a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	10.9.8.7	lofty	1	auto	created	success	\N	1	9007199254741147	200	\N	\N	2026-01-02 02:05:52.229108+00	2026-01-02 02:05:52.234618+00	3
260	a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	10.9.8.7	lofty	2	auto	created	success	\N	1	9007199254741149	200	\N	\N	2026-01-02 02:05:52.306762+00	2026-01-02 02:05:52.314046+00	4
261	a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	10.9.8.7	lofty	1	manual	none	skipped	unchanged	1	9007199254741147	\N	\N	\N	2026-01-02 02:05:52.51311+00	2026-01-02 02:05:52.520039+00	\N
262	a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	10.9.8.7	lofty	2	manual	none	skipped	unchanged	1	9007199254741149	\N	\N	\N	2026-01-02 02:05:52.51311+00	2026-01-02 02:05:52.520039+00	\N
263	a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	10.9.8.7	lofty	4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:52.51311+00	2026-01-02 02:05:52.523611+00	2
264	33b64d55-bfe0-4e64-bd6a-bcd16c8adbd1	t	lofty	4	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:52.678816+00	2026-01-02 02:05:52.683521+00	\N
265	33b64d55-bfe0-4e64-bd6a-bcd16c8adbd1	t	lofty	1	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:52.772989+00	2026-01-02 02:05:52.780596+00	\N
266	33b64d55-bfe0-4e64-bd6a-bcd16c8adbd1	t	lofty	2	auto	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:05:52.849105+00	2026-01-02 02:05:52.850824+00	\N
267	909d6500-352d-4321-be8c-3f49888dfa36	red	lofty	4	auto	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:53.219847+00	2026-01-02 02:05:53.235187+00	9
268	909d6500-352d-4321-be8c-3f49888dfa36	red	lofty	1	auto	created	success	\N	1	9007199254741151	200	\N	\N	2026-01-02 02:05:53.299895+00	2026-01-02 02:05:53.306641+00	4
269	909d6500-352d-4321-be8c-3f49888dfa36	red	lofty	2	auto	created	success	\N	1	9007199254741153	200	\N	\N	2026-01-02 02:05:53.380624+00	2026-01-02 02:05:53.386569+00	3
270	909d6500-352d-4321-be8c-3f49888dfa36	red	lofty	1	manual	none	skipped	unchanged	1	9007199254741151	\N	\N	\N	2026-01-02 02:05:53.594278+00	2026-01-02 02:05:53.599363+00	\N
271	909d6500-352d-4321-be8c-3f49888dfa36	red	lofty	2	manual	none	skipped	unchanged	1	9007199254741153	\N	\N	\N	2026-01-02 02:05:53.594278+00	2026-01-02 02:05:53.599363+00	\N
272	909d6500-352d-4321-be8c-3f49888dfa36	red	lofty	4	manual	none	failed	\N	1	\N	400	http_400	Lofty refused the request.	2026-01-02 02:05:53.594278+00	2026-01-02 02:05:53.606604+00	6
273	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	5D0C0000-0000-4000-8000-00000000BEE1	webhook	none	success	\N	1	9007199254740993	200	\N	\N	2026-01-02 02:05:53.891579+00	2026-01-02 02:05:53.905087+00	8
274	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	w-1	webhook	created	success	\N	1	9007199254741155	200	\N	\N	2026-01-02 02:05:53.891579+00	2026-01-02 02:05:53.912886+00	15
275	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	5d0c0000-0000-4000-8000-00000000bee5	auto	none	failed	\N	1	\N	200	no_record_id	Lofty accepted the lead but did not say under which id.	2026-01-02 02:05:54.67105+00	2026-01-02 02:05:54.687829+00	8
276	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	lofty	{3}	manual	none	skipped	lead_deleted	1	\N	\N	\N	\N	2026-01-02 02:06:06.521047+00	2026-01-02 02:06:06.521121+00	\N
\.
COPY public.crm_sync_queue (integration_id, priority, id, lead_id, user_id, source_id, sync_type, run_id, queued_at, snapshot) FROM stdin;
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	19300	5d0c0000-0000-4000-8000-00000000bee5	user-1	1	auto	\N	2026-01-02 02:05:54.67105+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	19400	5d0c0000-0000-4000-8000-00000000bee3	user-1	1	auto	\N	2026-01-02 02:05:54.907756+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	19500	Ünï	user-1	2	auto	\N	2026-01-02 02:05:54.983846+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	19600	v-3	user-1	3	auto	\N	2026-01-02 02:05:55.061105+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	19700	c	user-1	4	auto	\N	2026-01-02 02:05:55.139255+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	19800	c	user-1	5	auto	\N	2026-01-02 02:05:55.219564+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	19900	x	user-1	6	auto	\N	2026-01-02 02:05:55.296393+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	20000	LEAD-C	user-1	7	auto	\N	2026-01-02 02:05:55.374792+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	20100	THIRD	user-1	8	auto	\N	2026-01-02 02:05:55.460753+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	20200	-44	user-1	9	auto	\N	2026-01-02 02:05:55.54418+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	20300	90071992547409933	user-1	10	auto	\N	2026-01-02 02:05:55.618292+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	20400	9	user-1	11	auto	\N	2026-01-02 02:05:55.696303+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	20500	13	user-1	12	auto	\N	2026-01-02 02:05:55.770821+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	20600	3	user-1	13	auto	\N	2026-01-02 02:05:55.845135+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	20700	79.50	user-1	14	auto	\N	2026-01-02 02:05:55.921264+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	20800	1e+300	user-1	15	auto	\N	2026-01-02 02:05:55.996377+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	20900	0.1	user-1	16	auto	\N	2026-01-02 02:05:56.072542+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	21000	10.0.0.3	user-1	17	auto	\N	2026-01-02 02:05:56.145876+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	21100	10.3.0.1/32	user-1	18	auto	\N	2026-01-02 02:05:56.225277+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	21200	08:00:2b:01:02:03	user-1	19	auto	\N	2026-01-02 02:05:56.302206+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	21300	10101110	user-1	20	auto	\N	2026-01-02 02:05:56.378877+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	21400	10100	user-1	21	auto	\N	2026-01-02 02:05:56.454155+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	21500	f	user-1	22	auto	\N	2026-01-02 02:05:56.528411+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	21600	\\x0104	user-1	23	auto	\N	2026-01-02 02:05:56.606138+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	21700	2026-01-04	user-1	24	auto	\N	2026-01-02 02:05:56.678444+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	21800	2026-05-06 03:04:05.3	user-1	25	auto	\N	2026-01-02 02:05:56.756051+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	21900	2026-05-06 01:04:03+00	user-1	26	auto	\N	2026-01-02 02:05:56.832331+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	22000	1 mon	user-1	27	auto	\N	2026-01-02 02:05:56.908278+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	22100	$3.00	user-1	28	auto	\N	2026-01-02 02:05:56.983375+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	22200	blue	user-1	29	auto	\N	2026-01-02 02:05:57.059146+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	22300	(3,)	user-1	30	auto	\N	2026-01-02 02:05:57.135697+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	22400	{"a": 3}	user-1	31	auto	\N	2026-01-02 02:05:57.212323+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	22500	<a>3</a>	user-1	32	auto	\N	2026-01-02 02:05:57.292772+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	22600	(1,3)	user-1	33	auto	\N	2026-01-02 02:05:57.373628+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	22700	{3}	user-1	34	auto	\N	2026-01-02 02:05:57.450913+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	22800	3	user-1	49	auto	\N	2026-01-02 02:05:57.524119+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	22900	3	user-1	50	auto	\N	2026-01-02 02:05:57.606061+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	23000	5d0c0000-0000-4000-8000-00000000bee2	user-1	1	auto	\N	2026-01-02 02:05:57.681554+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	23100	 with blanks 	user-1	2	auto	\N	2026-01-02 02:05:57.755741+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	23200	v-2	user-1	3	auto	\N	2026-01-02 02:05:57.832828+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	23300	full-len	user-1	4	auto	\N	2026-01-02 02:05:57.909526+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	23400	b	user-1	5	auto	\N	2026-01-02 02:05:57.986412+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	23500	uvwxyz	user-1	6	auto	\N	2026-01-02 02:05:58.060967+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	23600	lead-b	user-1	7	auto	\N	2026-01-02 02:05:58.153334+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	23700	another	user-1	8	auto	\N	2026-01-02 02:05:58.231756+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	23800	43	user-1	9	auto	\N	2026-01-02 02:05:58.312445+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	23900	90071992547409932	user-1	10	auto	\N	2026-01-02 02:05:58.387534+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	24000	8	user-1	11	auto	\N	2026-01-02 02:05:58.466201+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	24100	12	user-1	12	auto	\N	2026-01-02 02:05:58.542823+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	24200	2.500	user-1	13	auto	\N	2026-01-02 02:05:58.619136+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	24300	78.00	user-1	14	auto	\N	2026-01-02 02:05:58.701612+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	24400	0.1	user-1	15	auto	\N	2026-01-02 02:05:58.777562+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	24500	1e+10	user-1	16	auto	\N	2026-01-02 02:05:58.863146+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	24600	10.0.0.2	user-1	17	auto	\N	2026-01-02 02:05:58.941109+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	24700	10.2.0.0/16	user-1	18	auto	\N	2026-01-02 02:05:59.018866+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	24800	08:00:2b:01:02:02	user-1	19	auto	\N	2026-01-02 02:05:59.095707+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	24900	10101011	user-1	20	auto	\N	2026-01-02 02:05:59.172297+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	25000	1010	user-1	21	auto	\N	2026-01-02 02:05:59.249185+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	25100	\\x0103	user-1	23	auto	\N	2026-01-02 02:05:59.334098+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	25200	2026-01-03	user-1	24	auto	\N	2026-01-02 02:05:59.412787+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	25300	2026-05-06 03:04:05.2	user-1	25	auto	\N	2026-01-02 02:05:59.488264+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	25400	2026-05-06 01:04:02+00	user-1	26	auto	\N	2026-01-02 02:05:59.566768+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	25500	24:00:01	user-1	27	auto	\N	2026-01-02 02:05:59.642465+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	25600	$2.00	user-1	28	auto	\N	2026-01-02 02:05:59.718503+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	25700	red	user-1	29	auto	\N	2026-01-02 02:05:59.800184+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	25800	(2,"b c")	user-1	30	auto	\N	2026-01-02 02:05:59.880357+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	25900	{"a": 2}	user-1	31	auto	\N	2026-01-02 02:05:59.954762+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	26000	<a>2</a>	user-1	32	auto	\N	2026-01-02 02:06:00.030906+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	26100	(1,2)	user-1	33	auto	\N	2026-01-02 02:06:00.107419+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	26200	2	user-1	49	auto	\N	2026-01-02 02:06:00.181234+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	26300	2	user-1	50	auto	\N	2026-01-02 02:06:00.257694+00	\N
9d776c15-1de4-413b-8e3c-79baa309e607	0	26400	3	user-2	49	auto	\N	2026-01-02 02:06:00.421428+00	\N
9d776c15-1de4-413b-8e3c-79baa309e607	0	26500	3	user-2	50	auto	\N	2026-01-02 02:06:00.499315+00	\N
9d776c15-1de4-413b-8e3c-79baa309e607	0	26600	2	user-2	49	auto	\N	2026-01-02 02:06:00.578393+00	\N
9d776c15-1de4-413b-8e3c-79baa309e607	0	26700	2	user-2	50	auto	\N	2026-01-02 02:06:00.657196+00	\N
bb3ea04c-4bb6-44b1-992f-fae1afe5357e	0	26800	3	f00d0000-0000-4000-8000-00000000cafe	35	auto	\N	2026-01-02 02:06:00.813511+00	\N
bb3ea04c-4bb6-44b1-992f-fae1afe5357e	0	26900	2	f00d0000-0000-4000-8000-00000000cafe	35	auto	\N	2026-01-02 02:06:00.897619+00	\N
e60033b2-b052-4f77-bee1-0a6e1ca86e5f	0	27000	3	varied	37	auto	\N	2026-01-02 02:06:01.287173+00	\N
e60033b2-b052-4f77-bee1-0a6e1ca86e5f	0	27100	2	varied	37	auto	\N	2026-01-02 02:06:01.363377+00	\N
8fff48cf-cc52-4477-823c-61dc3252b3cf	0	27200	3	full-use	38	auto	\N	2026-01-02 02:06:01.525003+00	\N
8fff48cf-cc52-4477-823c-61dc3252b3cf	0	27300	2	full-use	38	auto	\N	2026-01-02 02:06:01.601579+00	\N
e36f0973-65e5-49d4-a718-7e396d5bfd4d	0	27400	3	padded	39	auto	\N	2026-01-02 02:06:01.757567+00	\N
e36f0973-65e5-49d4-a718-7e396d5bfd4d	0	27500	2	padded	39	auto	\N	2026-01-02 02:06:01.833748+00	\N
01926aa3-7392-4534-8214-2ad742bb3a45	0	27600	3	Carla	40	auto	\N	2026-01-02 02:06:01.996062+00	\N
01926aa3-7392-4534-8214-2ad742bb3a45	0	27700	2	Carla	40	auto	\N	2026-01-02 02:06:02.075398+00	\N
bd7dc265-8cbb-428d-8123-c6beeed623c3	0	27800	3	7.00	42	auto	\N	2026-01-02 02:06:02.469406+00	\N
bd7dc265-8cbb-428d-8123-c6beeed623c3	0	27900	2	7.00	42	auto	\N	2026-01-02 02:06:02.547933+00	\N
21c5a849-668a-47ce-91f9-1161a1d58dd4	0	28000	3	1e+16	44	auto	\N	2026-01-02 02:06:02.941962+00	\N
21c5a849-668a-47ce-91f9-1161a1d58dd4	0	28100	2	1e+16	44	auto	\N	2026-01-02 02:06:03.018329+00	\N
f6ffda8e-fc01-40af-ae15-7e0ca9359810	0	28200	3	1009	45	auto	\N	2026-01-02 02:06:03.16669+00	\N
f6ffda8e-fc01-40af-ae15-7e0ca9359810	0	28300	2	1009	45	auto	\N	2026-01-02 02:06:03.243712+00	\N
a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	0	28400	3	10.9.8.7	46	auto	\N	2026-01-02 02:06:03.396949+00	\N
a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	0	28500	2	10.9.8.7	46	auto	\N	2026-01-02 02:06:03.487844+00	\N
33b64d55-bfe0-4e64-bd6a-bcd16c8adbd1	0	28600	3	t	47	auto	\N	2026-01-02 02:06:03.647251+00	\N
33b64d55-bfe0-4e64-bd6a-bcd16c8adbd1	0	28700	2	t	47	auto	\N	2026-01-02 02:06:03.723974+00	\N
909d6500-352d-4321-be8c-3f49888dfa36	0	28800	3	red	48	auto	\N	2026-01-02 02:06:03.883336+00	\N
909d6500-352d-4321-be8c-3f49888dfa36	0	28900	2	red	48	auto	\N	2026-01-02 02:06:03.973633+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29000	b	user-1	5	manual	17	2026-01-02 02:06:06.471484+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29100	3	user-1	16	manual	17	2026-01-02 02:06:06.492682+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29200	10.0.0.3/32	user-1	17	manual	17	2026-01-02 02:06:06.493448+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29300	false	user-1	22	manual	17	2026-01-02 02:06:06.497571+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29400	5d0c0000-0000-4000-8000-00000000bee6	user-1	1	auto	\N	2026-01-02 02:06:06.592625+00	\N
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29496	5D0C0000-0000-4000-8000-00000000BEE6	user-1	0	webhook	\N	2026-01-02 02:06:06.927913+00	{"id": "5D0C0000-0000-4000-8000-00000000BEE6", "phone": "8012001442", "first_name": "Refused", "risk_score": 1}
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29497	5D0C0000-0000-4000-8000-00000000BEE3	user-1	0	webhook	\N	2026-01-02 02:06:06.927913+00	{"id": "5D0C0000-0000-4000-8000-00000000BEE3", "phone": "8012001078", "first_name": "Waiting", "risk_score": 1}
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29498	ÃnÃ¯	user-1	0	webhook	\N	2026-01-02 02:06:06.927913+00	{"id": "ÃnÃ¯", "phone": "8012001085", "first_name": "Waiting", "risk_score": 1}
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29499	w-1	user-1	0	webhook	\N	2026-01-02 02:06:06.927913+00	{"id": "w-1", "phone": "8012001449", "last_name": "Changed", "first_name": "Webhook", "risk_score": 1}
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29500	w-2	user-1	0	webhook	\N	2026-01-02 02:06:06.927913+00	{"id": "w-2", "phone": "8012001456", "last_name": "Waiting", "first_name": "Webhook", "risk_score": 1}
e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	0	29600	5d0c0000-0000-4000-8000-00000000bee4	user-1	1	retry	\N	2026-01-02 02:06:07.009669+00	\N
\.
COPY public.crm_sync_runs (id, integration_id, user_id, queued, skipped, synced, failed, skipped_later, started_at, finished_at) FROM stdin;
10	bd7dc265-8cbb-428d-8123-c6beeed623c3	7.00	3	0	0	1	2	2026-01-02 02:05:50.34858+00	2026-01-02 02:05:50.4038+00
11	7f56e47b-1226-4536-90ab-778d18e495e1	8	3	0	0	0	3	2026-01-02 02:05:50.874634+00	2026-01-02 02:05:50.923485+00
12	21c5a849-668a-47ce-91f9-1161a1d58dd4	1e+16	3	0	0	0	3	2026-01-02 02:05:51.397538+00	2026-01-02 02:05:51.441383+00
13	f6ffda8e-fc01-40af-ae15-7e0ca9359810	1009	3	0	0	1	2	2026-01-02 02:05:51.93574+00	2026-01-02 02:05:51.992867+00
14	a02b9a8c-078b-4701-9c9c-f8dcb88e81fa	10.9.8.7	3	0	0	1	2	2026-01-02 02:05:52.476477+00	2026-01-02 02:05:52.523779+00
15	33b64d55-bfe0-4e64-bd6a-bcd16c8adbd1	t	3	0	0	0	3	2026-01-02 02:05:53.011831+00	2026-01-02 02:05:53.057754+00
16	909d6500-352d-4321-be8c-3f49888dfa36	red	3	0	0	1	2	2026-01-02 02:05:53.553344+00	2026-01-02 02:05:53.60702+00
17	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	4	35	0	0	0	2026-01-02 02:06:06.462441+00	\N
1	e468c3ba-4e1b-4ab9-ab34-9809523bbd9a	user-1	103	0	3	32	68	2026-01-02 02:05:45.372914+00	2026-01-02 02:05:45.561022+00
2	9d776c15-1de4-413b-8e3c-79baa309e607	user-2	6	0	0	1	5	2026-01-02 02:05:46.197543+00	2026-01-02 02:05:46.251534+00
3	bb3ea04c-4bb6-44b1-992f-fae1afe5357e	f00d0000-0000-4000-8000-00000000cafe	3	0	0	1	2	2026-01-02 02:05:46.703972+00	2026-01-02 02:05:46.756768+00
4	1230f9a1-0dc4-4e61-b409-558923009e3d	F00D0000-0000-4000-8000-00000000BEEF	3	0	0	0	3	2026-01-02 02:05:47.20303+00	2026-01-02 02:05:47.238916+00
5	e60033b2-b052-4f77-bee1-0a6e1ca86e5f	varied	3	0	0	1	2	2026-01-02 02:05:47.724819+00	2026-01-02 02:05:47.776057+00
6	8fff48cf-cc52-4477-823c-61dc3252b3cf	full-use	0	0	0	0	0	2026-01-02 02:05:48.245386+00	2026-01-02 02:05:48.283654+00
7	e36f0973-65e5-49d4-a718-7e396d5bfd4d	padded	0	0	0	0	0	2026-01-02 02:05:48.765663+00	2026-01-02 02:05:48.811101+00
8	01926aa3-7392-4534-8214-2ad742bb3a45	Carla	3	0	0	1	2	2026-01-02 02:05:49.288456+00	2026-01-02 02:05:49.337573+00
9	e5740cd1-f990-43d2-acba-9aad0d2b22bf	NORA	3	0	0	0	3	2026-01-02 02:05:49.819297+00	2026-01-02 02:05:49.867528+00
\.
COPY public.in_the_crm (account, record) FROM stdin;
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254740993, "phones": ["8012000245"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254740995, "phones": ["8012000252"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254740997, "phones": ["8012000259"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254740999, "phones": ["8012000273"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741001, "phones": ["8012000287"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741003, "phones": ["8012000294"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741005, "phones": ["8012000301"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741007, "phones": ["8012000308"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741009, "phones": ["8012000315"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741011, "phones": ["8012000322"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741013, "phones": ["8012000329"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741015, "phones": ["8012000336"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741017, "phones": ["8012000343"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741019, "phones": ["8012000350"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741021, "phones": ["8012000364"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741023, "phones": ["8012000371"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741025, "phones": ["8012000385"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741027, "phones": ["8012000399"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741029, "phones": ["8012000406"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741031, "phones": ["8012000413"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741033, "phones": ["8012000420"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741035, "phones": ["8012000427"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741037, "phones": ["8012000434"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741039, "phones": ["8012000441"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741041, "phones": ["8012000448"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741043, "phones": ["8012000455"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741045, "phones": ["8012000462"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741047, "phones": ["8012000469"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741049, "phones": ["8012000476"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741051, "phones": ["8012000483"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741053, "phones": ["8012000490"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741055, "phones": ["8012000497"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741057, "phones": ["8012000504"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741059, "phones": ["8012000518"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741061, "phones": ["8012000532"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741063, "phones": ["8012000539"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741065, "phones": ["8012000546"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741067, "phones": ["8012000553"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741069, "phones": ["8012000560"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741071, "phones": ["8012000567"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741073, "phones": ["8012000574"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741075, "phones": ["8012000581"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741077, "phones": ["8012000588"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741079, "phones": ["8012000595"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741081, "phones": ["8012000609"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741083, "phones": ["8012000616"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741085, "phones": ["8012000630"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741087, "phones": ["8012000637"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741089, "phones": ["8012000644"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741091, "phones": ["8012000651"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741093, "phones": ["8012000658"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741095, "phones": ["8012000665"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741097, "phones": ["8012000672"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741099, "phones": ["8012000679"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741101, "phones": ["8012000686"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741103, "phones": ["8012000693"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741105, "phones": ["8012000700"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741107, "phones": ["8012000707"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741109, "phones": ["8012000714"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741111, "phones": ["8012000721"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741113, "phones": ["8012000357"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741115, "phones": ["8012000602"], "lastName": "Holt", "firstName": "Changed"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741117, "phones": ["8012000392"], "lastName": "Holt", "firstName": "Linked"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741155, "phones": ["8012001064"], "lastName": "Linked", "firstName": "Webhook"}
200001	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741157, "phones": ["8012001071"], "lastName": "Holt", "firstName": "Doubtful"}
200002	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741119, "phones": ["8012000742"], "lastName": "Holt", "firstName": "Linked"}
200002	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741121, "phones": ["8012000756"], "lastName": "Holt", "firstName": "Changed"}
200003	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741123, "phones": ["8012000777"], "lastName": "Holt", "firstName": "Linked"}
200003	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741125, "phones": ["8012000784"], "lastName": "Holt", "firstName": "Changed"}
200005	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741127, "phones": ["8012000819"], "lastName": "Holt", "firstName": "Linked"}
200005	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741129, "phones": ["8012000826"], "lastName": "Holt", "firstName": "Changed"}
200006	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741131, "phones": ["8012000840"], "lastName": "Holt", "firstName": "Linked"}
200006	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741133, "phones": ["8012000847"], "lastName": "Holt", "firstName": "Changed"}
200008	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741135, "phones": ["8012000882"], "lastName": "Holt", "firstName": "Linked"}
200008	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741137, "phones": ["8012000889"], "lastName": "Holt", "firstName": "Changed"}
200010	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741139, "phones": ["8012000924"], "lastName": "Holt", "firstName": "Linked"}
200010	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741141, "phones": ["8012000931"], "lastName": "Holt", "firstName": "Changed"}
200013	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741143, "phones": ["8012000987"], "lastName": "Holt", "firstName": "Linked"}
200013	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741145, "phones": ["8012000994"], "lastName": "Holt", "firstName": "Changed"}
200014	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741147, "phones": ["8012001008"], "lastName": "Holt", "firstName": "Linked"}
200014	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741149, "phones": ["8012001015"], "lastName": "Holt", "firstName": "Changed"}
200016	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741151, "phones": ["8012001050"], "lastName": "Holt", "firstName": "Linked"}
200016	{"tags": ["Echo Safe - Clean Lead"], "emails": [], "leadId": 9007199254741153, "phones": ["8012001057"], "lastName": "Holt", "firstName": "Changed"}
\.
COPY public.partitioned_0 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	user-2	8012000735	Dead	Holt	5	f
1	user-2	8012000749	Linked	Holt	5	f
3	user-2	8012001337	Waiting	Holt	5	f
2	user-2	8012000763	Changed	Birch	5	f
\.
COPY public.partitioned_1 (id, user_id, phone, first_name, last_name, risk_score, dnc) FROM stdin;
4	user-1	8012000238	Dead	Holt	5	f
1	user-1	8012000483	Linked	Holt	5	f
3	user-1	8012001323	Waiting	Holt	5	f
2	user-1	8012000721	Changed	Birch	5	f
\.
SELECT pg_catalog.setval('public.crm_lead_sources_id_seq', 50, true);
SELECT pg_catalog.setval('public.crm_sync_logs_id_seq', 276, true);
SELECT pg_catalog.setval('public.crm_sync_queue_id_seq', 29600, true);
SELECT pg_catalog.setval('public.crm_sync_runs_id_seq', 17, true);
ALTER TABLE ONLY public.by_id_0
    ADD CONSTRAINT by_id_0_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_10
    ADD CONSTRAINT by_id_10_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_11
    ADD CONSTRAINT by_id_11_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_12
    ADD CONSTRAINT by_id_12_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_13
    ADD CONSTRAINT by_id_13_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_14
    ADD CONSTRAINT by_id_14_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_15
    ADD CONSTRAINT by_id_15_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_16
    ADD CONSTRAINT by_id_16_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_17
    ADD CONSTRAINT by_id_17_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_18
    ADD CONSTRAINT by_id_18_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_19
    ADD CONSTRAINT by_id_19_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_1
    ADD CONSTRAINT by_id_1_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_20
    ADD CONSTRAINT by_id_20_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_21
    ADD CONSTRAINT by_id_21_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_22
    ADD CONSTRAINT by_id_22_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_23
    ADD CONSTRAINT by_id_23_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_24
    ADD CONSTRAINT by_id_24_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_25
    ADD CONSTRAINT by_id_25_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_26
    ADD CONSTRAINT by_id_26_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_27
    ADD CONSTRAINT by_id_27_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_28
    ADD CONSTRAINT by_id_28_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_29
    ADD CONSTRAINT by_id_29_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_2
    ADD CONSTRAINT by_id_2_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_30
    ADD CONSTRAINT by_id_30_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_31
    ADD CONSTRAINT by_id_31_pkey PRIMARY KEY (phone);
ALTER TABLE ONLY public.by_id_32
    ADD CONSTRAINT by_id_32_pkey PRIMARY KEY (phone);
ALTER TABLE ONLY public.by_id_33
    ADD CONSTRAINT by_id_33_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_3
    ADD CONSTRAINT by_id_3_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_4
    ADD CONSTRAINT by_id_4_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_5
    ADD CONSTRAINT by_id_5_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_6
    ADD CONSTRAINT by_id_6_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_7
    ADD CONSTRAINT by_id_7_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_8
    ADD CONSTRAINT by_id_8_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_id_9
    ADD CONSTRAINT by_id_9_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_0
    ADD CONSTRAINT by_user_0_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_10
    ADD CONSTRAINT by_user_10_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_11
    ADD CONSTRAINT by_user_11_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_12
    ADD CONSTRAINT by_user_12_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_13
    ADD CONSTRAINT by_user_13_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_1
    ADD CONSTRAINT by_user_1_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_2
    ADD CONSTRAINT by_user_2_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_3
    ADD CONSTRAINT by_user_3_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_4
    ADD CONSTRAINT by_user_4_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_5
    ADD CONSTRAINT by_user_5_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_6
    ADD CONSTRAINT by_user_6_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_7
    ADD CONSTRAINT by_user_7_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_8
    ADD CONSTRAINT by_user_8_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.by_user_9
    ADD CONSTRAINT by_user_9_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.composite
    ADD CONSTRAINT composite_pkey PRIMARY KEY (user_id, id);
ALTER TABLE ONLY public.partitioned
    ADD CONSTRAINT partitioned_pkey PRIMARY KEY (user_id, id);
ALTER TABLE ONLY public.partitioned_0
    ADD CONSTRAINT partitioned_0_pkey PRIMARY KEY (user_id, id);
ALTER TABLE ONLY public.partitioned_1
    ADD CONSTRAINT partitioned_1_pkey PRIMARY KEY (user_id, id);
ALTER INDEX public.partitioned_pkey ATTACH PARTITION public.partitioned_0_pkey;
ALTER INDEX public.partitioned_pkey ATTACH PARTITION public.partitioned_1_pkey;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_0 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('1');
ALTER TRIGGER echosync_capture ON public.by_id_0 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_1 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('2');
ALTER TRIGGER echosync_capture ON public.by_id_1 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_10 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('11');
ALTER TRIGGER echosync_capture ON public.by_id_10 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_11 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('12');
ALTER TRIGGER echosync_capture ON public.by_id_11 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_12 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('13');
ALTER TRIGGER echosync_capture ON public.by_id_12 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_13 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('14');
ALTER TRIGGER echosync_capture ON public.by_id_13 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_14 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('15');
ALTER TRIGGER echosync_capture ON public.by_id_14 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_15 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('16');
ALTER TRIGGER echosync_capture ON public.by_id_15 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_16 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('17');
ALTER TRIGGER echosync_capture ON public.by_id_16 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_17 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('18');
ALTER TRIGGER echosync_capture ON public.by_id_17 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_18 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('19');
ALTER TRIGGER echosync_capture ON public.by_id_18 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_19 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('20');
ALTER TRIGGER echosync_capture ON public.by_id_19 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_2 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('3');
ALTER TRIGGER echosync_capture ON public.by_id_2 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_20 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('21');
ALTER TRIGGER echosync_capture ON public.by_id_20 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_21 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('22');
ALTER TRIGGER echosync_capture ON public.by_id_21 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_22 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('23');
ALTER TRIGGER echosync_capture ON public.by_id_22 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_23 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('24');
ALTER TRIGGER echosync_capture ON public.by_id_23 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_24 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('25');
ALTER TRIGGER echosync_capture ON public.by_id_24 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_25 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('26');
ALTER TRIGGER echosync_capture ON public.by_id_25 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_26 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('27');
ALTER TRIGGER echosync_capture ON public.by_id_26 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_27 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('28');
ALTER TRIGGER echosync_capture ON public.by_id_27 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_28 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('29');
ALTER TRIGGER echosync_capture ON public.by_id_28 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_29 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('30');
ALTER TRIGGER echosync_capture ON public.by_id_29 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_3 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('4');
ALTER TRIGGER echosync_capture ON public.by_id_3 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_30 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('31');
ALTER TRIGGER echosync_capture ON public.by_id_30 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_31 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('32');
ALTER TRIGGER echosync_capture ON public.by_id_31 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_32 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('33');
ALTER TRIGGER echosync_capture ON public.by_id_32 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_33 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('34');
ALTER TRIGGER echosync_capture ON public.by_id_33 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_4 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('5');
ALTER TRIGGER echosync_capture ON public.by_id_4 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_5 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('6');
ALTER TRIGGER echosync_capture ON public.by_id_5 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_6 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('7');
ALTER TRIGGER echosync_capture ON public.by_id_6 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_7 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('8');
ALTER TRIGGER echosync_capture ON public.by_id_7 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_8 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('9');
ALTER TRIGGER echosync_capture ON public.by_id_8 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_id_9 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('10');
ALTER TRIGGER echosync_capture ON public.by_id_9 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_0 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('35');
ALTER TRIGGER echosync_capture ON public.by_user_0 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_1 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('36');
ALTER TRIGGER echosync_capture ON public.by_user_1 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_10 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('45');
ALTER TRIGGER echosync_capture ON public.by_user_10 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_11 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('46');
ALTER TRIGGER echosync_capture ON public.by_user_11 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_12 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('47');
ALTER TRIGGER echosync_capture ON public.by_user_12 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_13 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('48');
ALTER TRIGGER echosync_capture ON public.by_user_13 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_2 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('37');
ALTER TRIGGER echosync_capture ON public.by_user_2 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_3 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('38');
ALTER TRIGGER echosync_capture ON public.by_user_3 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_4 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('39');
ALTER TRIGGER echosync_capture ON public.by_user_4 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_5 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('40');
ALTER TRIGGER echosync_capture ON public.by_user_5 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_6 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('41');
ALTER TRIGGER echosync_capture ON public.by_user_6 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_7 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('42');
ALTER TRIGGER echosync_capture ON public.by_user_7 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_8 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('43');
ALTER TRIGGER echosync_capture ON public.by_user_8 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.by_user_9 FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('44');
ALTER TRIGGER echosync_capture ON public.by_user_9 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.composite FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('49');
ALTER TRIGGER echosync_capture ON public.composite DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture AFTER INSERT OR DELETE OR UPDATE ON public.partitioned FOR EACH ROW EXECUTE FUNCTION public.echosync_capture('50');
ALTER TRIGGER echosync_capture ON public.partitioned DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_0 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('1');
ALTER TRIGGER echosync_capture_end ON public.by_id_0 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_1 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('2');
ALTER TRIGGER echosync_capture_end ON public.by_id_1 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_10 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('11');
ALTER TRIGGER echosync_capture_end ON public.by_id_10 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_11 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('12');
ALTER TRIGGER echosync_capture_end ON public.by_id_11 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_12 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('13');
ALTER TRIGGER echosync_capture_end ON public.by_id_12 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_13 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('14');
ALTER TRIGGER echosync_capture_end ON public.by_id_13 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_14 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('15');
ALTER TRIGGER echosync_capture_end ON public.by_id_14 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_15 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('16');
ALTER TRIGGER echosync_capture_end ON public.by_id_15 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_16 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('17');
ALTER TRIGGER echosync_capture_end ON public.by_id_16 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_17 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('18');
ALTER TRIGGER echosync_capture_end ON public.by_id_17 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_18 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('19');
ALTER TRIGGER echosync_capture_end ON public.by_id_18 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_19 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('20');
ALTER TRIGGER echosync_capture_end ON public.by_id_19 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_2 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('3');
ALTER TRIGGER echosync_capture_end ON public.by_id_2 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_20 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('21');
ALTER TRIGGER echosync_capture_end ON public.by_id_20 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_21 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('22');
ALTER TRIGGER echosync_capture_end ON public.by_id_21 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_22 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('23');
ALTER TRIGGER echosync_capture_end ON public.by_id_22 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_23 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('24');
ALTER TRIGGER echosync_capture_end ON public.by_id_23 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_24 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('25');
ALTER TRIGGER echosync_capture_end ON public.by_id_24 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_25 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('26');
ALTER TRIGGER echosync_capture_end ON public.by_id_25 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_26 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('27');
ALTER TRIGGER echosync_capture_end ON public.by_id_26 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_27 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('28');
ALTER TRIGGER echosync_capture_end ON public.by_id_27 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_28 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('29');
ALTER TRIGGER echosync_capture_end ON public.by_id_28 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_29 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('30');
ALTER TRIGGER echosync_capture_end ON public.by_id_29 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_3 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('4');
ALTER TRIGGER echosync_capture_end ON public.by_id_3 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_30 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('31');
ALTER TRIGGER echosync_capture_end ON public.by_id_30 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_31 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('32');
ALTER TRIGGER echosync_capture_end ON public.by_id_31 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_32 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('33');
ALTER TRIGGER echosync_capture_end ON public.by_id_32 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_33 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('34');
ALTER TRIGGER echosync_capture_end ON public.by_id_33 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_4 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('5');
ALTER TRIGGER echosync_capture_end ON public.by_id_4 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_5 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('6');
ALTER TRIGGER echosync_capture_end ON public.by_id_5 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_6 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('7');
ALTER TRIGGER echosync_capture_end ON public.by_id_6 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_7 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('8');
ALTER TRIGGER echosync_capture_end ON public.by_id_7 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_8 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('9');
ALTER TRIGGER echosync_capture_end ON public.by_id_8 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_id_9 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('10');
ALTER TRIGGER echosync_capture_end ON public.by_id_9 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_0 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('35');
ALTER TRIGGER echosync_capture_end ON public.by_user_0 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_1 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('36');
ALTER TRIGGER echosync_capture_end ON public.by_user_1 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_10 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('45');
ALTER TRIGGER echosync_capture_end ON public.by_user_10 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_11 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('46');
ALTER TRIGGER echosync_capture_end ON public.by_user_11 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_12 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('47');
ALTER TRIGGER echosync_capture_end ON public.by_user_12 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_13 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('48');
ALTER TRIGGER echosync_capture_end ON public.by_user_13 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_2 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('37');
ALTER TRIGGER echosync_capture_end ON public.by_user_2 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_3 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('38');
ALTER TRIGGER echosync_capture_end ON public.by_user_3 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_4 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('39');
ALTER TRIGGER echosync_capture_end ON public.by_user_4 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_5 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('40');
ALTER TRIGGER echosync_capture_end ON public.by_user_5 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_6 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('41');
ALTER TRIGGER echosync_capture_end ON public.by_user_6 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_7 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('42');
ALTER TRIGGER echosync_capture_end ON public.by_user_7 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_8 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('43');
ALTER TRIGGER echosync_capture_end ON public.by_user_8 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.by_user_9 FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('44');
ALTER TRIGGER echosync_capture_end ON public.by_user_9 DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.composite FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('49');
ALTER TRIGGER echosync_capture_end ON public.composite DEPENDS ON EXTENSION echosync;
CREATE TRIGGER echosync_capture_end AFTER INSERT OR DELETE OR UPDATE ON public.partitioned FOR EACH STATEMENT EXECUTE FUNCTION public.echosync_capture('50');
ALTER TRIGGER echosync_capture_end ON public.partitioned DEPENDS ON EXTENSION echosync;
GRANT ALL ON SCHEMA public TO app;
GRANT USAGE ON SCHEMA public TO pg_monitor;
GRANT ALL ON FUNCTION public.echosync_attach_leads(leads regclass, mapping jsonb) TO app;
GRANT ALL ON FUNCTION public.echosync_capture() TO app;
GRANT ALL ON FUNCTION public.echosync_connect(crm_type text, api_key text, settings jsonb) TO app;
GRANT ALL ON FUNCTION public.echosync_current_user_id() TO app;
GRANT ALL ON FUNCTION public.echosync_detach_leads(leads regclass) TO app;
GRANT ALL ON FUNCTION public.echosync_discard_failed(id uuid, lead_ids text[]) TO app;
GRANT ALL ON FUNCTION public.echosync_disconnect(id uuid) TO app;
GRANT ALL ON FUNCTION public.echosync_drain(timeout_seconds integer) TO app;
GRANT SELECT ON TABLE public.crm_integrations TO app;
GRANT ALL ON FUNCTION public.echosync_find_integration(id uuid) TO app;
GRANT ALL ON FUNCTION public.echosync_get_integration(id uuid) TO app;
GRANT ALL ON FUNCTION public.echosync_has_level(level text) TO app;
GRANT ALL ON FUNCTION public.echosync_lead_seconds(id uuid, crm_type text) TO app;
GRANT ALL ON FUNCTION public.echosync_manual_sync(id uuid, lead_ids text[], OUT run_id bigint, OUT queued bigint, OUT skipped bigint) TO app;
GRANT ALL ON FUNCTION public.echosync_may_see(owner text, level text) TO app;
GRANT ALL ON FUNCTION public.echosync_oauth_authorize(crm_type text, settings jsonb) TO app;
GRANT ALL ON FUNCTION public.echosync_oauth_callback(code text, state text, response text) TO app;
GRANT ALL ON FUNCTION public.echosync_pause(id uuid) TO app;
GRANT ALL ON FUNCTION public.echosync_preview(id uuid, lead_id text, OUT step integer, OUT method text, OUT url text, OUT body jsonb) TO app;
GRANT ALL ON FUNCTION public.echosync_queue_length(id uuid) TO app;
GRANT ALL ON FUNCTION public.echosync_require_user() TO app;
GRANT ALL ON FUNCTION public.echosync_resume(id uuid) TO app;
GRANT ALL ON FUNCTION public.echosync_retry_failed(id uuid, lead_ids text[]) TO app;
GRANT ALL ON FUNCTION public.echosync_sees_all(level text) TO app;
GRANT ALL ON FUNCTION public.echosync_settings_merge(base jsonb, changes jsonb, crm_type text) TO app;
GRANT SELECT ON TABLE public.crm_sync_logs TO app;
GRANT ALL ON FUNCTION public.echosync_sync_logs(id uuid, status text[], crm_type text, since timestamp with time zone, until timestamp with time zone, before_id bigint, max_rows integer) TO app;
GRANT ALL ON FUNCTION public.echosync_test_connection(id uuid, OUT ok boolean, OUT message text, OUT crm_account text) TO app;
GRANT ALL ON FUNCTION public.echosync_update_integration(id uuid, settings jsonb) TO app;
GRANT ALL ON FUNCTION public.echosync_webhook_lead_created(jsonb) TO app;
GRANT SELECT ON TABLE public.crm_dead_letters TO app;
GRANT SELECT ON TABLE public.crm_lead_links TO app;
GRANT SELECT ON TABLE public.crm_sync_queue TO app;
GRANT SELECT ON TABLE public.crm_sync_runs TO app;
GRANT SELECT ON TABLE public.echosync_dead_letters TO app;
GRANT SELECT ON TABLE public.echosync_runs TO app;
GRANT SELECT ON TABLE public.echosync_status TO app;
