BEGIN TRANSACTION;
CREATE TABLE alert (
                id INTEGER PRIMARY KEY,
                key TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL, severity TEXT NOT NULL, kind TEXT NOT NULL,
                account TEXT NOT NULL, symbol TEXT NOT NULL, text TEXT NOT NULL, delivered_ms INTEGER
            );
INSERT INTO "alert" VALUES(1,'fill:main:BTCUSDT:3f3ade56-18e8-a800-ab0d-48120a08402b',1800000000215,'info','fill','main','BTCUSDT','entry filled: 0.05 BTCUSDT at 60000.1',NULL);
INSERT INTO "alert" VALUES(2,'fill:half:BTCUSDT:f9760f3a-cf48-137a-6cba-77999ac17c62',1800000000292,'info','fill','half','BTCUSDT','copied: 0.025 BTCUSDT at 60000.1',NULL);
INSERT INTO "alert" VALUES(3,'closed:main:BTCUSDT:long:c9934cc1-9b9c-5ad9-32ee-669b69dbb70a',1800000000415,'info','closed','main','BTCUSDT','closed: manual, long at 59999.9',NULL);
INSERT INTO "alert" VALUES(4,'fill:main:BTCUSDT:c9934cc1-9b9c-5ad9-32ee-669b69dbb70a',1800000000426,'info','fill','main','BTCUSDT','reduced by hand: 0.05 BTCUSDT at 59999.9',NULL);
INSERT INTO "alert" VALUES(5,'closed:half:BTCUSDT:long:54420501-5ab4-2dec-6fe3-631ee536afd4',1800000000448,'info','closed','half','BTCUSDT','closed: followed main, long at 59999.9',NULL);
INSERT INTO "alert" VALUES(6,'fill:half:BTCUSDT:54420501-5ab4-2dec-6fe3-631ee536afd4',1800000000448,'info','fill','half','BTCUSDT','followed main: 0.025 BTCUSDT at 59999.9',NULL);
INSERT INTO "alert" VALUES(7,'fill:main:SOLUSDT:a8e046b9-8d4b-5fa8-e420-ba9d216f1587',1800000000735,'info','fill','main','SOLUSDT','entry filled: 8 SOLUSDT at 150.01',NULL);
INSERT INTO "alert" VALUES(8,'fill:half:SOLUSDT:c9d9b6e5-2b31-0057-6f80-e7051406ea0a',1800000000774,'info','fill','half','SOLUSDT','copied: 4 SOLUSDT at 150.01',NULL);
CREATE TABLE chain (
                id INTEGER PRIMARY KEY CHECK (id = 1),
                head INTEGER NOT NULL, head_hash BLOB NOT NULL, anchor INTEGER NOT NULL, anchor_hash BLOB NOT NULL
            );
INSERT INTO "chain" VALUES(1,14,X'A3A3718D3B445B4067F7B44993581C55569820785ADDEB629394CC2775420258',0,X'0000000000000000000000000000000000000000000000000000000000000000');
CREATE TABLE closed_position (
                id INTEGER PRIMARY KEY,
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL,
                reason TEXT NOT NULL, opened_ms INTEGER NOT NULL, closed_ms INTEGER NOT NULL, late INTEGER NOT NULL,
                approach TEXT NOT NULL,
                UNIQUE (account, symbol, side, tag, closed_ms)
            );
INSERT INTO "closed_position" VALUES(1,'main','BTCUSDT','long','eozukgu','manual',1800000000200,1800000000400,0,'');
INSERT INTO "closed_position" VALUES(2,'half','BTCUSDT','long','eozukgu','followed main',1800000000267,1800000000419,0,'');
CREATE TABLE copy (
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL,
                ratio TEXT NOT NULL, formula TEXT NOT NULL, cap TEXT, main_size TEXT NOT NULL,
                out TEXT NOT NULL, held TEXT NOT NULL, opened INTEGER NOT NULL, ended INTEGER NOT NULL,
                explained INTEGER NOT NULL, done TEXT NOT NULL DEFAULT '', own_stop TEXT, skipped TEXT NOT NULL DEFAULT '0', raised TEXT NOT NULL DEFAULT '0', counted TEXT NOT NULL DEFAULT '', unsized TEXT NOT NULL DEFAULT '', value TEXT, follows TEXT NOT NULL DEFAULT '', own_target TEXT, spared TEXT NOT NULL DEFAULT '0', ladder TEXT NOT NULL DEFAULT '',
                PRIMARY KEY (account, symbol, side)
            ) WITHOUT ROWID;
INSERT INTO "copy" VALUES('half','BTCUSDT','long','zqhkayb','0.5','proportion: r = 0.5',NULL,'0','','',1,0,0,'',NULL,'0','0','','',NULL,'',NULL,'0','');
INSERT INTO "copy" VALUES('half','SOLUSDT','long','vf76p2x','0.5','proportion: r = 0.5',NULL,'0','','',1,0,0,'',NULL,'0','0','','',NULL,'',NULL,'0','');
CREATE TABLE cycle (
                symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL, origin TEXT NOT NULL,
                started_ms INTEGER NOT NULL, opened INTEGER NOT NULL, done TEXT NOT NULL DEFAULT '',
                PRIMARY KEY (symbol, side)
            ) WITHOUT ROWID;
INSERT INTO "cycle" VALUES('BTCUSDT','long','zqhkayb','a2c9c041-dd94-10fe-38d5-ab2d9b9c48a4',1800000000975,0,'');
INSERT INTO "cycle" VALUES('SOLUSDT','long','vf76p2x','a8e046b9-8d4b-5fa8-e420-ba9d216f1587',1800000000710,1,'');
CREATE TABLE ended_cycle (
                id INTEGER PRIMARY KEY,
                symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL, origin TEXT NOT NULL,
                started_ms INTEGER NOT NULL, opened INTEGER NOT NULL, ended_ms INTEGER NOT NULL
            , done TEXT NOT NULL DEFAULT '');
INSERT INTO "ended_cycle" VALUES(1,'BTCUSDT','long','eozukgu','3f3ade56-18e8-a800-ab0d-48120a08402b',1800000000200,1,1800000000409,'');
CREATE TABLE fact (key TEXT PRIMARY KEY, value TEXT NOT NULL, at_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
INSERT INTO "fact" VALUES('main.taken','1800000000048',0);
INSERT INTO "fact" VALUES('seen.half','1800000000060',0);
INSERT INTO "fact" VALUES('store.marked','1',0);
INSERT INTO "fact" VALUES('told.half','0',0);
INSERT INTO "fact" VALUES('told.main','0',0);
CREATE TABLE journal (
                seq INTEGER PRIMARY KEY,
                intent_id INTEGER NOT NULL, at_ms INTEGER NOT NULL,
                account TEXT, action TEXT, created_ms INTEGER, main_order_id TEXT, main_filled TEXT,
                state TEXT NOT NULL, updated_ms INTEGER NOT NULL, filled TEXT NOT NULL, by_us INTEGER NOT NULL,
                code INTEGER NOT NULL, message TEXT NOT NULL, order_id TEXT NOT NULL,
                hash BLOB NOT NULL
            );
INSERT INTO "journal" VALUES(1,1,1800000000254,'half','{"action":"place","account":"half","symbol":"BTCUSDT","side":"buy","order_type":"limit","qty":"0.025","link_id":"m1-o4fzh-eozukgu-c0-b2rbmirb-0","role":"c","reason":"main holds 0.05: want 0.025, have 0; proportion: r = 0.5; within 50 bps of main''s fill 60000.1","position_idx":0,"price":"60300.1","time_in_force":"ioc","reduce_only":false,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":"58000","stop_loss_by":"last"}',1800000000254,'',NULL,'pending',1800000000254,'0',0,0,'','',X'8EFCC3E9339B9EDD9FBD4B5800EBCA4314714604E0F44C34FA24663911A632CB');
INSERT INTO "journal" VALUES(2,1,1800000000290,NULL,NULL,NULL,NULL,NULL,'accepted',1800000000290,'0',0,0,'','f9760f3a-cf48-137a-6cba-77999ac17c62',X'E4C03FDAFC417A611B52D232317B59E9F98DD59A73C4D8C6BA99C33A6B4B294F');
INSERT INTO "journal" VALUES(3,1,1800000000292,NULL,NULL,NULL,NULL,NULL,'done',1800000000292,'0.025',0,0,'','f9760f3a-cf48-137a-6cba-77999ac17c62',X'2C409AD72BE60456509A5BCDF9F6BA2B3D0CB4A8C51687CF3E03A42F8F6EB219');
INSERT INTO "journal" VALUES(4,4,1800000000415,'half','{"action":"place","account":"half","symbol":"BTCUSDT","side":"sell","order_type":"limit","qty":"0.025","link_id":"m1-o4fzh-eozukgu-r0-vj2vjpwn-0","role":"r","reason":"main is flat: close 0.025; within 300 bps of main''s fill 59999.9","position_idx":0,"price":"58200","time_in_force":"ioc","reduce_only":true,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":null,"stop_loss_by":"last"}',1800000000415,'',NULL,'pending',1800000000415,'0',0,0,'','',X'6275B2AD9D61A060BC4E153D7EFB65F9963B390F8A8B5A834A0107AA24D6F12D');
INSERT INTO "journal" VALUES(5,4,1800000000420,NULL,NULL,NULL,NULL,NULL,'done',1800000000420,'0.025',0,0,'','54420501-5ab4-2dec-6fe3-631ee536afd4',X'03F326FAEA2EA9FE9A5679EF9B7D82898022225CD8672F289E29C6E6A6E960A1');
INSERT INTO "journal" VALUES(6,6,1800000000686,'main','{"action":"place","account":"main","symbol":"SOLUSDT","side":"buy","order_type":"market","qty":"8","link_id":"m1-tkr7q-w5lonvj-e0-n44ojydh-0","role":"e","reason":"entry 1 of the trade","position_idx":0,"price":null,"time_in_force":"ioc","reduce_only":false,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":"140","stop_loss_by":"last"}',1800000000686,'',NULL,'pending',1800000000686,'0',0,0,'','',X'99A60B27071F3CE196BCC3FA9D1CD893D2A4BEFA52EFF7874A2D439EE7B6E3F4');
INSERT INTO "journal" VALUES(7,6,1800000000726,NULL,NULL,NULL,NULL,NULL,'accepted',1800000000726,'0',0,0,'','a8e046b9-8d4b-5fa8-e420-ba9d216f1587',X'C40CEBBEEC14742828FDA3339CDEA1E06F76441DD192A1CDC93346B2463BFBD1');
INSERT INTO "journal" VALUES(8,6,1800000000735,NULL,NULL,NULL,NULL,NULL,'done',1800000000735,'8',0,0,'','a8e046b9-8d4b-5fa8-e420-ba9d216f1587',X'91C03DF0BC7E9BC18036B37DBA8CC9970CB5047948A2EAAC98085C9765B7ADFB');
INSERT INTO "journal" VALUES(9,9,1800000000737,'half','{"action":"place","account":"half","symbol":"SOLUSDT","side":"buy","order_type":"limit","qty":"4","link_id":"m1-o4fzh-vf76p2x-c0-bcw5hpkv-0","role":"c","reason":"main holds 8: want 4, have 0; proportion: r = 0.5; within 50 bps of main''s fill 150.01","position_idx":0,"price":"150.76","time_in_force":"ioc","reduce_only":false,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":"140","stop_loss_by":"last"}',1800000000737,'',NULL,'pending',1800000000737,'0',0,0,'','',X'0F4029391CF6979D5B1CA77EFD8C9EC6F6039B42BEDBD0A4AA8AAF66F5FFA449');
INSERT INTO "journal" VALUES(10,9,1800000000759,NULL,NULL,NULL,NULL,NULL,'accepted',1800000000759,'0',0,0,'','c9d9b6e5-2b31-0057-6f80-e7051406ea0a',X'1175FA216FB52B530484CE2EE9C27A1197ADF7C9C4C764481A7FB88802FD6DC0');
INSERT INTO "journal" VALUES(11,9,1800000000774,NULL,NULL,NULL,NULL,NULL,'done',1800000000774,'4',0,0,'','c9d9b6e5-2b31-0057-6f80-e7051406ea0a',X'4FF4A59732D1AFEABC2AFA4F0BCC7F97ECDC6FDE0DBA8FFC1DD66703F27E9084');
INSERT INTO "journal" VALUES(12,12,1800000000975,'half','{"action":"place","account":"half","symbol":"BTCUSDT","side":"buy","order_type":"limit","qty":"0.015","link_id":"m1-o4fzh-zqhkayb-w0-yekojvsd-0","role":"w","reason":"twin of main''s buy 0.03 at 59000; proportion: r = 0.5","position_idx":0,"price":"59000","time_in_force":"gtc","reduce_only":false,"trigger_price":null,"trigger_direction":0,"trigger_by":"last","stop_loss":"57000","stop_loss_by":"last"}',1800000000975,'a2c9c041-dd94-10fe-38d5-ab2d9b9c48a4','0','pending',1800000000975,'0',0,0,'','',X'DF31E664B882CFCA4203299BF98E3121EBB8AE5E56A8A0F3726DC6C018C3F04A');
INSERT INTO "journal" VALUES(13,12,1800000001007,NULL,NULL,NULL,NULL,NULL,'accepted',1800000001007,'0',0,0,'','06b6b681-6a1a-2a93-69c4-b622867ec9cf',X'F3B6DC3F11A378296CACCB89CEDB8802DD71A392183F1E4688CD0AC786430C32');
INSERT INTO "journal" VALUES(14,12,1800000001019,NULL,NULL,NULL,NULL,NULL,'live',1800000001019,'0',0,0,'','06b6b681-6a1a-2a93-69c4-b622867ec9cf',X'A3A3718D3B445B4067F7B44993581C55569820785ADDEB629394CC2775420258');
CREATE TABLE measured_copy (
                id INTEGER PRIMARY KEY,
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, link_id TEXT NOT NULL,
                main_exec_ms INTEGER NOT NULL, mirror_exec_ms INTEGER NOT NULL, slippage_bps TEXT,
                UNIQUE (account, link_id)
            );
INSERT INTO "measured_copy" VALUES(1,'half','BTCUSDT','long','m1-o4fzh-eozukgu-c0-b2rbmirb-0',1800000000200,1800000000267,'0');
INSERT INTO "measured_copy" VALUES(2,'half','BTCUSDT','long','m1-o4fzh-eozukgu-r0-vj2vjpwn-0',1800000000400,1800000000419,'0');
INSERT INTO "measured_copy" VALUES(3,'half','SOLUSDT','long','m1-o4fzh-vf76p2x-c0-bcw5hpkv-0',1800000000710,1800000000749,'0');
CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO "migration" VALUES(1,'first schema');
INSERT INTO "migration" VALUES(2,'trades, done rungs, open and closed positions, naked times');
INSERT INTO "migration" VALUES(3,'what sizes a copy, which cycle it follows, and the order of an intent');
INSERT INTO "migration" VALUES(4,'a journal that is only added to, in a hash chain');
CREATE TABLE naked_time (
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, from_ms INTEGER NOT NULL,
                ms INTEGER NOT NULL, ended INTEGER NOT NULL,
                PRIMARY KEY (account, symbol, side, from_ms)
            ) WITHOUT ROWID;
INSERT INTO "naked_time" VALUES('half','BTCUSDT','long',1800000000267,20,1);
INSERT INTO "naked_time" VALUES('half','SOLUSDT','long',1800000000749,22,1);
INSERT INTO "naked_time" VALUES('main','SOLUSDT','long',1800000000710,17,1);
CREATE TABLE open_position (
                account TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, tag TEXT NOT NULL,
                approach TEXT NOT NULL, opened_ms INTEGER NOT NULL,
                PRIMARY KEY (account, symbol, side)
            ) WITHOUT ROWID;
INSERT INTO "open_position" VALUES('half','SOLUSDT','long','vf76p2x','plain',1800000000749);
INSERT INTO "open_position" VALUES('main','SOLUSDT','long','w5lonvj','plain',1800000000710);
CREATE TABLE standing (
                kind TEXT NOT NULL, account TEXT NOT NULL, symbol TEXT NOT NULL,
                reason TEXT NOT NULL, since_ms INTEGER NOT NULL,
                PRIMARY KEY (kind, account, symbol)
            ) WITHOUT ROWID;
INSERT INTO "standing" VALUES('pause','half','ETHUSDT','by the trader',1800000001174);
CREATE TABLE trade (
                symbol TEXT NOT NULL, side TEXT NOT NULL, created_ms INTEGER NOT NULL, document TEXT NOT NULL,
                PRIMARY KEY (symbol, side)
            ) WITHOUT ROWID;
INSERT INTO "trade" VALUES('SOLUSDT','long',1800000000686,'{"symbol":"SOLUSDT","side":"long","tag":"w5lonvj","approach":"plain","created_ms":1800000000686,"targets":[],"uncovered":"0","stop":"140","stood":"140","breakeven_after":0,"breakeven_margin_bps":"2","breakeven_entry":null,"cancel_entries_after":0,"revision":0,"adopted":false,"opened":true}');
CREATE INDEX ended_cycle_by_time ON ended_cycle (ended_ms);
CREATE INDEX alert_undelivered ON alert (id) WHERE delivered_ms IS NULL;
CREATE INDEX alert_by_time ON alert (at_ms);
CREATE INDEX measured_copy_by_time ON measured_copy (mirror_exec_ms);
CREATE INDEX closed_position_by_time ON closed_position (closed_ms);
CREATE INDEX naked_time_by_time ON naked_time (from_ms);
COMMIT;
