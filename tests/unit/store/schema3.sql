BEGIN TRANSACTION;
CREATE TABLE alert (
                id INTEGER PRIMARY KEY,
                key TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL, severity TEXT NOT NULL, kind TEXT NOT NULL,
                account TEXT NOT NULL, symbol TEXT NOT NULL, text TEXT NOT NULL, delivered_ms INTEGER
            );
INSERT INTO "alert" VALUES(1,'fill:main:BTCUSDT:3f3ade56-18e8-a800-ab0d-48120a08402b',1800000000329,'info','fill','main','BTCUSDT','entry filled: 0.02 BTCUSDT at 60000.1',NULL);
INSERT INTO "alert" VALUES(2,'fill:half:BTCUSDT:f9760f3a-cf48-137a-6cba-77999ac17c62',1800000000391,'info','fill','half','BTCUSDT','copied: 0.01 BTCUSDT at 60000.1',NULL);
INSERT INTO "alert" VALUES(3,'own-exit:half:BTCUSDT:54420501-5ab4-2dec-6fe3-631ee536afd4:',1800000000694,'info','own-exit','half','BTCUSDT','its own target reduced it',NULL);
INSERT INTO "alert" VALUES(4,'fill:half:BTCUSDT:54420501-5ab4-2dec-6fe3-631ee536afd4',1800000000694,'info','fill','half','BTCUSDT','target filled: rung 1 of 2, 0.005 BTCUSDT at 61000',NULL);
INSERT INTO "alert" VALUES(5,'fill:main:BTCUSDT:994bd6b9-96b0-6b0f-ce70-c014480b7c4e',1800000000707,'info','fill','main','BTCUSDT','target filled: rung 1 of 2, 0.01 BTCUSDT at 61000',NULL);
INSERT INTO "alert" VALUES(6,'trade:main:BTCUSDT:1800000000707',1800000000707,'info','trade','main','BTCUSDT','stop to breakeven 60078.2',NULL);
INSERT INTO "alert" VALUES(7,'held:main:BTCUSDT:stop 60078.2 is passed by the price: 58000 stays:1800000000707',1800000000707,'warning','held','main','BTCUSDT','stop 60078.2 is passed by the price: 58000 stays',NULL);
INSERT INTO "alert" VALUES(8,'fill:main:BTCUSDT:c9d9b6e5-2b31-0057-6f80-e7051406ea0a',1800000000924,'info','fill','main','BTCUSDT','reduced: 0.01 BTCUSDT at 61199.9',NULL);
INSERT INTO "alert" VALUES(9,'closed:main:BTCUSDT:long:c9d9b6e5-2b31-0057-6f80-e7051406ea0a',1800000000927,'info','closed','main','BTCUSDT','closed: manual, long at 61199.9',NULL);
INSERT INTO "alert" VALUES(10,'fill:half:BTCUSDT:7c19a8f9-1089-c0a4-30b6-06d7648c172c',1800000000961,'info','fill','half','BTCUSDT','followed main: 0.005 BTCUSDT at 61199.9',NULL);
INSERT INTO "alert" VALUES(11,'closed:half:BTCUSDT:long:7c19a8f9-1089-c0a4-30b6-06d7648c172c',1800000000965,'info','closed','half','BTCUSDT','closed: followed main, long at 61199.9',NULL);
INSERT INTO "alert" VALUES(12,'fill:main:BTCUSDT:2f897202-8c17-577c-4752-75782ddf74f3',1800000001190,'info','fill','main','BTCUSDT','entry filled: 0.1 BTCUSDT at 61200.1',NULL);
INSERT INTO "alert" VALUES(13,'fill:half:BTCUSDT:2c1133c3-17e2-3cea-ce2c-8441f8c358d8',1800000001236,'info','fill','half','BTCUSDT','copied: 0.05 BTCUSDT at 61200.1',NULL);
INSERT INTO "alert" VALUES(14,'fill:main:SOLUSDT:1cdc910b-9812-b9e6-b6ca-0faccba3b0b0',1800000002497,'info','fill','main','SOLUSDT','entry filled: 8 SOLUSDT at 150.01',NULL);
INSERT INTO "alert" VALUES(15,'fill:half:SOLUSDT:ad3322cf-8e8d-66b2-8f15-4f536f70204a',1800000002592,'info','fill','half','SOLUSDT','copied: 4 SOLUSDT at 150.01',NULL);
CREATE TABLE closed_position (
                id INTEGER PRIMARY KEY,
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL,
                reason TEXT NOT NULL, opened_ms INTEGER NOT NULL, closed_ms INTEGER NOT NULL, late INTEGER NOT NULL,
                approach TEXT NOT NULL,
                UNIQUE (account, symbol, side, tag, closed_ms)
            );
INSERT INTO "closed_position" VALUES(1,'main','BTCUSDT','long','2a4pg5t','manual',1800000000302,1800000000897,0,'custom');
INSERT INTO "closed_position" VALUES(2,'half','BTCUSDT','long','dsa2r64','followed main',1800000000367,1800000000937,0,'custom');
CREATE TABLE copy (
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL,
                ratio TEXT NOT NULL, formula TEXT NOT NULL, cap TEXT, main_size TEXT NOT NULL,
                out TEXT NOT NULL, held TEXT NOT NULL, opened INTEGER NOT NULL, ended INTEGER NOT NULL,
                explained INTEGER NOT NULL, done TEXT NOT NULL DEFAULT '', own_stop TEXT, skipped TEXT NOT NULL DEFAULT '0', raised TEXT NOT NULL DEFAULT '0', counted TEXT NOT NULL DEFAULT '', unsized TEXT NOT NULL DEFAULT '', value TEXT, follows TEXT NOT NULL DEFAULT '', own_target TEXT, spared TEXT NOT NULL DEFAULT '0', ladder TEXT NOT NULL DEFAULT '',
                PRIMARY KEY (account, symbol, side)
            ) WITHOUT ROWID;
INSERT INTO "copy" VALUES('half','BTCUSDT','long','jxoobrp','0.5','proportion: r = 0.5',NULL,'0','','',1,0,0,'',NULL,'0','0','','',NULL,'',NULL,'0','');
INSERT INTO "copy" VALUES('half','SOLUSDT','long','xomkkal','0.5','proportion: r = 0.5',NULL,'0','','',1,0,0,'',NULL,'0','0','','',NULL,'',NULL,'0','');
CREATE TABLE cycle (
                symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL, origin TEXT NOT NULL,
                started_ms INTEGER NOT NULL, opened INTEGER NOT NULL, done TEXT NOT NULL DEFAULT '',
                PRIMARY KEY (symbol, side)
            ) WITHOUT ROWID;
INSERT INTO "cycle" VALUES('BTCUSDT','long','jxoobrp','position-1800000001175',1800000001175,1,'');
INSERT INTO "cycle" VALUES('SOLUSDT','long','xomkkal','position-1800000002484',1800000002484,1,'');
CREATE TABLE ended_cycle (
                id INTEGER PRIMARY KEY,
                symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL, origin TEXT NOT NULL,
                started_ms INTEGER NOT NULL, opened INTEGER NOT NULL, ended_ms INTEGER NOT NULL
            , done TEXT NOT NULL DEFAULT '');
INSERT INTO "ended_cycle" VALUES(1,'BTCUSDT','long','dsa2r64','position-1800000000303',1800000000303,1,1800000000927,'gnevcs32');
CREATE TABLE fact (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "fact" VALUES('client.first','BTCUSDT long qty 0.02 stop 58000 target 61000:50 target 62000:50
m1-tkr7q-2a4pg5t-e0-6hrpbjt5-0');
INSERT INTO "fact" VALUES('main.taken','1800000000048');
INSERT INTO "fact" VALUES('seen.half','1800000000060');
INSERT INTO "fact" VALUES('told.half','0');
INSERT INTO "fact" VALUES('told.main','0');
CREATE TABLE intent (
                intent_id INTEGER PRIMARY KEY,
                account TEXT NOT NULL, action TEXT NOT NULL, state TEXT NOT NULL, over INTEGER NOT NULL,
                created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
                main_order_id TEXT NOT NULL, main_filled TEXT, filled TEXT NOT NULL,
                by_us INTEGER NOT NULL, code INTEGER NOT NULL, message TEXT NOT NULL
            , order_id TEXT NOT NULL DEFAULT '');
INSERT INTO "intent" VALUES(1,'main','{"action":"place","account":"main","symbol":"BTCUSDT","side":"buy","order_type":"market","qty":"0.02","link_id":"m1-tkr7q-2a4pg5t-e0-6hrpbjt5-0","role":"e","reason":"entry 1 of the trade","position_idx":0,"price":null,"time_in_force":"ioc","reduce_only":false,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":"58000","stop_loss_by":"last"}','done',1,1800000000298,1800000000329,'',NULL,'0.02',0,0,'','3f3ade56-18e8-a800-ab0d-48120a08402b');
INSERT INTO "intent" VALUES(2,'half','{"action":"place","account":"half","symbol":"BTCUSDT","side":"buy","order_type":"limit","qty":"0.01","link_id":"m1-o4fzh-dsa2r64-c0-khbxhxuh-0","role":"c","reason":"main holds 0.02: want 0.01, have 0; proportion: r = 0.5; within 50 bps of main''s fill 60000.1","position_idx":0,"price":"60300.1","time_in_force":"ioc","reduce_only":false,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":"58000","stop_loss_by":"last"}','done',1,1800000000358,1800000000386,'',NULL,'0.01',0,0,'','f9760f3a-cf48-137a-6cba-77999ac17c62');
INSERT INTO "intent" VALUES(3,'main','{"action":"place","account":"main","symbol":"BTCUSDT","side":"sell","order_type":"limit","qty":"0.01","link_id":"m1-tkr7q-2a4pg5t-t0-gnevcs32-0","role":"t","reason":"target 1: 0.01 at 61000","position_idx":0,"price":"61000","time_in_force":"gtc","reduce_only":true,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":null,"stop_loss_by":"last"}','done',1,1800000000381,1800000000700,'',NULL,'0.01',0,0,'','994bd6b9-96b0-6b0f-ce70-c014480b7c4e');
INSERT INTO "intent" VALUES(4,'main','{"action":"place","account":"main","symbol":"BTCUSDT","side":"sell","order_type":"limit","qty":"0.01","link_id":"m1-tkr7q-2a4pg5t-t1-at4izerv-0","role":"t","reason":"target 2: 0.01 at 62000","position_idx":0,"price":"62000","time_in_force":"gtc","reduce_only":true,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":null,"stop_loss_by":"last"}','done',1,1800000000381,1800000000911,'',NULL,'0',0,0,'','c9934cc1-9b9c-5ad9-32ee-669b69dbb70a');
INSERT INTO "intent" VALUES(5,'half','{"action":"place","account":"half","symbol":"BTCUSDT","side":"sell","order_type":"limit","qty":"0.005","link_id":"m1-o4fzh-dsa2r64-t0-gnevcs32-0","role":"t","reason":"target 1: 0.005 at 61000","position_idx":0,"price":"61000","time_in_force":"gtc","reduce_only":true,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":null,"stop_loss_by":"last"}','done',1,1800000000443,1800000000690,'',NULL,'0.005',0,0,'','54420501-5ab4-2dec-6fe3-631ee536afd4');
INSERT INTO "intent" VALUES(6,'half','{"action":"place","account":"half","symbol":"BTCUSDT","side":"sell","order_type":"limit","qty":"0.005","link_id":"m1-o4fzh-dsa2r64-t1-at4izerv-0","role":"t","reason":"target 2: 0.005 at 62000","position_idx":0,"price":"62000","time_in_force":"gtc","reduce_only":true,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":null,"stop_loss_by":"last"}','done',1,1800000000443,1800000000934,'',NULL,'0',1,0,'','4b83192a-e0b3-16ea-4d37-c7b5e1044552');
INSERT INTO "intent" VALUES(7,'main','{"action":"place","account":"main","symbol":"BTCUSDT","side":"sell","order_type":"market","qty":"0.01","link_id":"m1-tkr7q-dsa2r64-r0-jz33kabs-0","role":"r","reason":"asked for on the command line","position_idx":0,"price":null,"time_in_force":"ioc","reduce_only":true,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":null,"stop_loss_by":"last"}','done',1,1800000000882,1800000000924,'',NULL,'0.01',0,0,'','c9d9b6e5-2b31-0057-6f80-e7051406ea0a');
INSERT INTO "intent" VALUES(8,'half','{"action":"place","account":"half","symbol":"BTCUSDT","side":"sell","order_type":"limit","qty":"0.005","link_id":"m1-o4fzh-dsa2r64-r0-33p6zauq-0","role":"r","reason":"want 0, have 0.005; within 300 bps of main''s fill 61199.9","position_idx":0,"price":"59364","time_in_force":"ioc","reduce_only":true,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":null,"stop_loss_by":"last"}','done',1,1800000000907,1800000000941,'',NULL,'0.005',0,0,'','7c19a8f9-1089-c0a4-30b6-06d7648c172c');
INSERT INTO "intent" VALUES(9,'half','{"action":"cancel","account":"half","symbol":"BTCUSDT","order_id":"4b83192a-e0b3-16ea-4d37-c7b5e1044552","link_id":"m1-o4fzh-dsa2r64-t1-at4izerv-0","reason":"target: no rung of the ladder any more"}','done',1,1800000000907,1800000000949,'',NULL,'0',0,0,'','');
INSERT INTO "intent" VALUES(10,'half','{"action":"place","account":"half","symbol":"BTCUSDT","side":"buy","order_type":"limit","qty":"0.025","link_id":"m1-o4fzh-jxoobrp-w0-7gkusxqr-0","role":"w","reason":"twin of main''s buy 0.05 at 59000; proportion: r = 0.5","position_idx":0,"price":"59000","time_in_force":"gtc","reduce_only":false,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":"58000","stop_loss_by":"last"}','live',0,1800000001190,1800000001224,'f3a717c2-ccd6-b398-04de-3193b4802319','0','0',0,0,'','d7258e30-18bf-4791-b7aa-c80e22a196e6');
INSERT INTO "intent" VALUES(11,'half','{"action":"place","account":"half","symbol":"BTCUSDT","side":"buy","order_type":"limit","qty":"0.05","link_id":"m1-o4fzh-jxoobrp-c0-boeipl3q-0","role":"c","reason":"main holds 0.1: want 0.05, have 0; proportion: r = 0.5; within 50 bps of main''s fill 61200.1","position_idx":0,"price":"61506.1","time_in_force":"ioc","reduce_only":false,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":"58000","stop_loss_by":"last"}','done',1,1800000001190,1800000001236,'',NULL,'0.05',0,0,'','2c1133c3-17e2-3cea-ce2c-8441f8c358d8');
INSERT INTO "intent" VALUES(12,'main','{"action":"place","account":"main","symbol":"SOLUSDT","side":"buy","order_type":"market","qty":"8","link_id":"m1-tkr7q-llnymhy-e0-5ia2ju3d-0","role":"e","reason":"entry 1 of the trade","position_idx":0,"price":null,"time_in_force":"ioc","reduce_only":false,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":"140","stop_loss_by":"last"}','done',1,1800000002447,1800000002493,'',NULL,'8',0,0,'','1cdc910b-9812-b9e6-b6ca-0faccba3b0b0');
INSERT INTO "intent" VALUES(13,'half','{"action":"place","account":"half","symbol":"SOLUSDT","side":"buy","order_type":"limit","qty":"4","link_id":"m1-o4fzh-xomkkal-c0-bcw5hpkv-0","role":"c","reason":"main holds 8: want 4, have 0; proportion: r = 0.5; within 50 bps of main''s fill 150.01","position_idx":0,"price":"150.76","time_in_force":"ioc","reduce_only":false,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":"140","stop_loss_by":"last"}','done',1,1800000002544,1800000002579,'',NULL,'4',0,0,'','ad3322cf-8e8d-66b2-8f15-4f536f70204a');
CREATE TABLE measured_copy (
                id INTEGER PRIMARY KEY,
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, link_id TEXT NOT NULL,
                main_exec_ms INTEGER NOT NULL, mirror_exec_ms INTEGER NOT NULL, slippage_bps TEXT,
                UNIQUE (account, link_id)
            );
INSERT INTO "measured_copy" VALUES(1,'half','BTCUSDT','long','m1-o4fzh-dsa2r64-c0-khbxhxuh-0',1800000000302,1800000000367,'0');
INSERT INTO "measured_copy" VALUES(2,'half','BTCUSDT','long','m1-o4fzh-dsa2r64-r0-33p6zauq-0',1800000000897,1800000000937,'0');
INSERT INTO "measured_copy" VALUES(3,'half','BTCUSDT','long','m1-o4fzh-jxoobrp-c0-boeipl3q-0',1800000001161,1800000001220,'0');
INSERT INTO "measured_copy" VALUES(4,'half','SOLUSDT','long','m1-o4fzh-xomkkal-c0-bcw5hpkv-0',1800000002471,1800000002567,'0');
CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO "migration" VALUES(1,'first schema');
INSERT INTO "migration" VALUES(2,'trades, done rungs, open and closed positions, naked times');
INSERT INTO "migration" VALUES(3,'what sizes a copy, which cycle it follows, and the order of an intent');
CREATE TABLE naked_time (
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, from_ms INTEGER NOT NULL,
                ms INTEGER NOT NULL, ended INTEGER NOT NULL,
                PRIMARY KEY (account, symbol, side, from_ms)
            ) WITHOUT ROWID;
INSERT INTO "naked_time" VALUES('half','BTCUSDT','long',1800000000367,26,1);
INSERT INTO "naked_time" VALUES('half','BTCUSDT','long',1800000001220,19,1);
INSERT INTO "naked_time" VALUES('half','SOLUSDT','long',1800000002567,25,1);
INSERT INTO "naked_time" VALUES('main','BTCUSDT','long',1800000000302,16,1);
INSERT INTO "naked_time" VALUES('main','SOLUSDT','long',1800000002471,26,1);
CREATE TABLE open_position (
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL,
                approach TEXT NOT NULL, opened_ms INTEGER NOT NULL,
                PRIMARY KEY (account, symbol, side)
            ) WITHOUT ROWID;
INSERT INTO "open_position" VALUES('half','BTCUSDT','long','jxoobrp','',1800000001220);
INSERT INTO "open_position" VALUES('half','SOLUSDT','long','xomkkal','plain',1800000002567);
INSERT INTO "open_position" VALUES('main','BTCUSDT','long','jxoobrp','',1800000001161);
INSERT INTO "open_position" VALUES('main','SOLUSDT','long','llnymhy','plain',1800000002471);
CREATE TABLE standing (
                kind TEXT NOT NULL, account TEXT NOT NULL, symbol TEXT NOT NULL,
                reason TEXT NOT NULL, since_ms INTEGER NOT NULL,
                PRIMARY KEY (kind, account, symbol)
            ) WITHOUT ROWID;
INSERT INTO "standing" VALUES('pause','half','ETHUSDT','by the trader',1800000001361);
CREATE TABLE trade (
                symbol TEXT NOT NULL, side TEXT NOT NULL, created_ms INTEGER NOT NULL, document TEXT NOT NULL,
                PRIMARY KEY (symbol, side)
            ) WITHOUT ROWID;
INSERT INTO "trade" VALUES('SOLUSDT','long',1800000002447,'{"symbol":"SOLUSDT","side":"long","tag":"llnymhy","approach":"plain","created_ms":1800000002447,"targets":[],"uncovered":"0","stop":"140","stood":"140","breakeven_after":0,"breakeven_margin_bps":"2","breakeven_entry":null,"cancel_entries_after":0,"revision":0,"adopted":false,"opened":true}');
CREATE INDEX ended_cycle_by_time ON ended_cycle (ended_ms);
CREATE INDEX intent_open ON intent (intent_id) WHERE over = 0;
CREATE INDEX alert_undelivered ON alert (id) WHERE delivered_ms IS NULL;
CREATE INDEX alert_by_time ON alert (at_ms);
CREATE INDEX measured_copy_by_time ON measured_copy (mirror_exec_ms);
CREATE INDEX closed_position_by_time ON closed_position (closed_ms);
CREATE INDEX naked_time_by_time ON naked_time (from_ms);
COMMIT;
