-- A database as commit e8b2fbd made it (schema and records), written out by sqlite3's iterdump.
BEGIN TRANSACTION;
CREATE TABLE bodies (
	request_id VARCHAR NOT NULL, 
	part VARCHAR NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	size INTEGER NOT NULL, 
	content BLOB, 
	PRIMARY KEY (request_id, part)
);
INSERT INTO "bodies" VALUES('r1','input','s',8,CAST('{"a": 1}' AS BLOB));
INSERT INTO "bodies" VALUES('r2','input','s',4,CAST('null' AS BLOB));
INSERT INTO "bodies" VALUES('r3','input','s',2,CAST('[]' AS BLOB));
INSERT INTO "bodies" VALUES('r1','result','s',3,CAST('[1]' AS BLOB));
CREATE TABLE daemons (
	daemon_type VARCHAR NOT NULL, 
	daemon_id VARCHAR NOT NULL, 
	doc BLOB NOT NULL, 
	PRIMARY KEY (daemon_type, daemon_id)
);
INSERT INTO "daemons" VALUES('driver','n',CAST('{"daemon_type":"driver","daemon_id":"n","joined_at":1,"seen_at":2,"ip":"127.0.0.1","version":"0.1","address":null,"pid":null,"dropped_messages":0,"runtimes":{}}' AS BLOB));
CREATE TABLE functions (
	function_id VARCHAR NOT NULL, 
	project_id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	deleted BOOLEAN NOT NULL, 
	created_at INTEGER NOT NULL, 
	doc BLOB NOT NULL, 
	PRIMARY KEY (function_id)
);
INSERT INTO "functions" VALUES('f1','p','name1',0,1,CAST('{"function_id":"f1","project_id":"p","user_id":"u","name":"name1","description":"","type":"async","event":"webhook","runtime":"python3","memory":128,"cpus":1.0,"timeout":60,"isolation":"container","network":"bridge","status":"active","build_error":null,"version":1,"created_at":1,"updated_at":1,"deleted_at":null}' AS BLOB));
INSERT INTO "functions" VALUES('f2','p','name2',1,2,CAST('{"function_id":"f2","project_id":"p","user_id":"u","name":"name2","description":"","type":"async","event":"webhook","runtime":"python3","memory":128,"cpus":1.0,"timeout":60,"isolation":"container","network":"bridge","status":"building","build_error":null,"version":null,"created_at":2,"updated_at":2,"deleted_at":3}' AS BLOB));
CREATE TABLE leases (
	name VARCHAR NOT NULL, 
	holder VARCHAR NOT NULL, 
	epoch INTEGER NOT NULL, 
	ends_at INTEGER NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "leases" VALUES('scheduler','a',1,1001);
CREATE TABLE log_chunks (
	request_id VARCHAR NOT NULL, 
	attempt INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	project_id VARCHAR NOT NULL, 
	content BLOB NOT NULL, 
	PRIMARY KEY (request_id, attempt, seq)
);
INSERT INTO "log_chunks" VALUES('r1',1,0,'p',CAST('hello
' AS BLOB));
CREATE TABLE requests (
	request_id VARCHAR NOT NULL, 
	project_id VARCHAR NOT NULL, 
	function_id VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	status VARCHAR NOT NULL, 
	next_run_at INTEGER NOT NULL, 
	created_at INTEGER NOT NULL, 
	doc BLOB NOT NULL, 
	PRIMARY KEY (request_id)
);
INSERT INTO "requests" VALUES('b1','p','f1','build','queued',5,1,CAST('{"request_id":"b1","kind":"build","function_id":"f1","project_id":"p","user_id":"u","source":"upload","status":"queued","reason":null,"message":null,"version":null,"attempts":[],"input_sha256":null,"created_at":1,"started_at":null,"finished_at":null,"expires_at":1000,"next_run_at":5,"queue_ms":null,"init_ms":null,"run_ms":null,"cold":null,"isolation":null,"node":null,"peak_memory":null,"log_chunks":null}' AS BLOB));
INSERT INTO "requests" VALUES('r1','p','f1','run','success',5,5,CAST('{"request_id":"r1","kind":"run","function_id":"f1","project_id":"p","user_id":"u","source":"http","status":"success","reason":null,"message":null,"version":null,"attempts":[{"number":1,"node":"n","epoch":1,"started_at":8,"finished_at":9,"reason":null,"message":null}],"input_sha256":null,"created_at":5,"started_at":8,"finished_at":9,"expires_at":1000,"next_run_at":5,"queue_ms":3,"init_ms":1.5,"run_ms":2.5,"cold":true,"isolation":"container","node":"n","peak_memory":1,"log_chunks":1}' AS BLOB));
INSERT INTO "requests" VALUES('r2','p','f1','run','running',6,6,CAST('{"request_id":"r2","kind":"run","function_id":"f1","project_id":"p","user_id":"u","source":"timer","status":"running","reason":null,"message":null,"version":null,"attempts":[{"number":1,"node":"n","epoch":1,"started_at":8,"finished_at":null,"reason":null,"message":null}],"input_sha256":null,"created_at":6,"started_at":8,"finished_at":null,"expires_at":1000,"next_run_at":6,"queue_ms":null,"init_ms":null,"run_ms":null,"cold":null,"isolation":null,"node":"n","peak_memory":null,"log_chunks":null}' AS BLOB));
INSERT INTO "requests" VALUES('r3','p','f1','run','queued',7,7,CAST('{"request_id":"r3","kind":"run","function_id":"f1","project_id":"p","user_id":"u","source":"http","status":"queued","reason":null,"message":null,"version":null,"attempts":[],"input_sha256":null,"created_at":7,"started_at":null,"finished_at":null,"expires_at":1000,"next_run_at":7,"queue_ms":null,"init_ms":null,"run_ms":null,"cold":null,"isolation":null,"node":null,"peak_memory":null,"log_chunks":null}' AS BLOB));
CREATE TABLE subscriptions (
	subscription_id VARCHAR NOT NULL, 
	function_id VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	doc BLOB NOT NULL, 
	PRIMARY KEY (subscription_id)
);
INSERT INTO "subscriptions" VALUES('s1','f1','timer',1,CAST('{"subscription_id":"s1","function_id":"f1","project_id":"p","user_id":"u","kind":"timer","frequency_ms":60000,"enabled":true,"created_at":1}' AS BLOB));
CREATE TABLE versions (
	function_id VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	doc BLOB NOT NULL, 
	PRIMARY KEY (function_id, number)
);
INSERT INTO "versions" VALUES('f1',1,CAST('{"function_id":"f1","number":1,"project_id":"p","runtime":"python3","archive_sha256":"s","size":1,"status":"active","build_error":null,"build_request_id":"b1","created_at":1}' AS BLOB));
CREATE INDEX functions_by_project ON functions (project_id, created_at);
CREATE INDEX functions_by_name ON functions (project_id, name);
CREATE INDEX requests_by_function ON requests (function_id, created_at);
CREATE INDEX requests_due ON requests (status, next_run_at);
CREATE INDEX requests_by_project ON requests (project_id, kind, created_at);
CREATE INDEX subscriptions_by_kind ON subscriptions (kind, enabled);
COMMIT;
