CREATE TABLE schema_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT schema_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE line (
	id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE TABLE tag (
	id INTEGER NOT NULL, 
	line_id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	alias VARCHAR(200) NOT NULL, 
	station VARCHAR(200) NOT NULL, 
	unit VARCHAR(50) NOT NULL, 
	type VARCHAR(20) NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT tag_once_per_line UNIQUE (line_id, name), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE event (
	id INTEGER NOT NULL, 
	line_id INTEGER NOT NULL, 
	time_us BIGINT NOT NULL, 
	kind VARCHAR(100) NOT NULL, 
	source VARCHAR(200) NOT NULL, 
	severity VARCHAR(20) NOT NULL, 
	active SMALLINT, 
	text TEXT NOT NULL, 
	data TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX event_by_time ON event (line_id, time_us);
CREATE TABLE command (
	id INTEGER NOT NULL, 
	line_id INTEGER NOT NULL, 
	time_us BIGINT NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	tag VARCHAR(200) NOT NULL, 
	value TEXT NOT NULL, 
	expected TEXT, 
	why TEXT NOT NULL, 
	old TEXT, 
	readback TEXT, 
	outcome VARCHAR(20) NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX command_by_time ON command (line_id, time_us);
CREATE TABLE run (
	line_id INTEGER NOT NULL, 
	run_id VARCHAR(200) NOT NULL, 
	recipe VARCHAR(200) NOT NULL, 
	recipe_hash VARCHAR(200) NOT NULL, 
	state VARCHAR(50) NOT NULL, 
	started_us BIGINT, 
	ended_us BIGINT, 
	record TEXT NOT NULL, 
	snapshot TEXT NOT NULL, 
	updated_us BIGINT NOT NULL, 
	PRIMARY KEY (line_id, run_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX run_by_update ON run (line_id, updated_us);
CREATE TABLE recipe (
	line_id INTEGER NOT NULL, 
	hash VARCHAR(200) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	version VARCHAR(100) NOT NULL, 
	text TEXT NOT NULL, 
	saved_us BIGINT NOT NULL, 
	PRIMARY KEY (line_id, hash), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE quarantine (
	id INTEGER NOT NULL, 
	line_id INTEGER NOT NULL, 
	time_us BIGINT NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	"row" TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE spool_state (
	line_id INTEGER NOT NULL, 
	writer VARCHAR(64) NOT NULL, 
	number BIGINT NOT NULL, 
	PRIMARY KEY (line_id, writer), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE lab (
	id INTEGER NOT NULL, 
	line_id INTEGER NOT NULL, 
	lab_id VARCHAR(60) NOT NULL, 
	tag VARCHAR(200) NOT NULL, 
	value DOUBLE NOT NULL, 
	u DOUBLE NOT NULL, 
	sampled_us BIGINT NOT NULL, 
	entered_us BIGINT NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	note TEXT NOT NULL, 
	run_id VARCHAR(200), 
	replaces VARCHAR(60), 
	PRIMARY KEY (id), 
	CONSTRAINT lab_once_per_line UNIQUE (line_id, lab_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX lab_by_time ON lab (line_id, sampled_us);
CREATE TABLE alarm (
	line_id INTEGER NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	state TEXT NOT NULL, 
	updated_us BIGINT NOT NULL, 
	PRIMARY KEY (line_id, name), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE user_account (
	id VARCHAR(32) NOT NULL, 
	line_id INTEGER NOT NULL, 
	name VARCHAR(60) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	password_hash VARCHAR(200) NOT NULL, 
	language VARCHAR(5) NOT NULL, 
	is_enabled SMALLINT NOT NULL, 
	created_us BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT user_once_per_line UNIQUE (line_id, name), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE user_session (
	id VARCHAR(32) NOT NULL, 
	line_id INTEGER NOT NULL, 
	user_id VARCHAR(32) NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	created_us BIGINT NOT NULL, 
	proved_us BIGINT NOT NULL, 
	seen_us BIGINT NOT NULL, 
	address VARCHAR(60) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE api_token (
	id VARCHAR(32) NOT NULL, 
	line_id INTEGER NOT NULL, 
	name VARCHAR(60) NOT NULL, 
	token_hash VARCHAR(64) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	scope TEXT NOT NULL, 
	made_by VARCHAR(200) NOT NULL, 
	created_us BIGINT NOT NULL, 
	expires_us BIGINT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	line_id INTEGER NOT NULL, 
	time_us BIGINT NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	session VARCHAR(100) NOT NULL, 
	address VARCHAR(60) NOT NULL, 
	action VARCHAR(200) NOT NULL, 
	target TEXT NOT NULL, 
	old TEXT, 
	new TEXT, 
	why TEXT NOT NULL, 
	outcome VARCHAR(20) NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX audit_by_time ON audit (line_id, time_us);
CREATE TABLE tail (
	id INTEGER NOT NULL, 
	line_id INTEGER NOT NULL, 
	writer VARCHAR(64) NOT NULL, 
	number BIGINT NOT NULL, 
	start_us BIGINT NOT NULL, 
	end_us BIGINT NOT NULL, 
	rows INTEGER NOT NULL, 
	samples BLOB NOT NULL, 
	texts TEXT, hash VARCHAR(64), 
	PRIMARY KEY (id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE block (
	id INTEGER NOT NULL, 
	line_id INTEGER NOT NULL, 
	start_us BIGINT NOT NULL, 
	end_us BIGINT NOT NULL, 
	rows BIGINT NOT NULL, 
	archive VARCHAR(200), 
	data BLOB NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX block_by_time ON block (line_id, start_us);
CREATE TABLE axis (
	block_id INTEGER NOT NULL, 
	number SMALLINT NOT NULL, 
	count INTEGER NOT NULL, 
	times BLOB NOT NULL, 
	PRIMARY KEY (block_id, number)
)
 WITHOUT ROWID

;
CREATE TABLE chunk (
	line_id INTEGER NOT NULL, 
	block_id INTEGER NOT NULL, 
	tag_id INTEGER NOT NULL, 
	start_us BIGINT NOT NULL, 
	end_us BIGINT NOT NULL, 
	count INTEGER NOT NULL, 
	numbers INTEGER NOT NULL, 
	low DOUBLE, 
	high DOUBLE, 
	weight_us BIGINT NOT NULL, 
	integral DOUBLE NOT NULL, 
	last DOUBLE, 
	last_status BIGINT NOT NULL, 
	axis SMALLINT, 
	"offset" INTEGER NOT NULL, 
	times_bytes INTEGER NOT NULL, 
	values_bytes INTEGER NOT NULL, 
	notes_bytes INTEGER NOT NULL, 
	PRIMARY KEY (line_id, block_id, tag_id)
);
CREATE INDEX chunk_by_tag ON chunk (tag_id, start_us);
CREATE VIEW readable_chunk AS SELECT line.name AS line, tag.station AS station, tag.name AS tag, strftime('%Y-%m-%d %H:%M:%f', chunk.start_us / 1000000.0, 'unixepoch') AS from_utc, strftime('%Y-%m-%d %H:%M:%f', chunk.end_us / 1000000.0, 'unixepoch') AS to_utc, chunk.count AS rows, chunk.low AS lowest, chunk.high AS highest, CASE WHEN chunk.weight_us > 0 THEN chunk.integral / chunk.weight_us END AS mean_over_time, chunk.last AS last, tag.unit AS unit, CASE WHEN chunk.last_status < 1073741824 THEN 'GOOD' WHEN chunk.last_status < 2147483648 THEN 'UNCERTAIN' ELSE 'BAD' END AS last_quality, chunk.times_bytes + chunk.values_bytes + chunk.notes_bytes AS bytes FROM chunk JOIN tag ON tag.id = chunk.tag_id JOIN line ON line.id = chunk.line_id;
CREATE TABLE run_version (
	line_id INTEGER NOT NULL, 
	run_id VARCHAR(200) NOT NULL, 
	version INTEGER NOT NULL, 
	made_us BIGINT NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	why TEXT NOT NULL, 
	record TEXT NOT NULL, 
	PRIMARY KEY (line_id, run_id, version), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE deviation (
	line_id INTEGER NOT NULL, 
	deviation_id VARCHAR(60) NOT NULL, 
	run_id VARCHAR(200) NOT NULL, 
	ccp VARCHAR(100) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	stage VARCHAR(100) NOT NULL, 
	since_us BIGINT NOT NULL, 
	opened_us BIGINT NOT NULL, 
	until_us BIGINT, 
	value DOUBLE, 
	"limit" DOUBLE, 
	unit VARCHAR(50) NOT NULL, 
	text TEXT NOT NULL, 
	text_zh TEXT NOT NULL, 
	corrective_action TEXT NOT NULL, 
	corrective_action_zh TEXT NOT NULL, 
	responsible VARCHAR(20) NOT NULL, 
	suspect_kg DOUBLE NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	action TEXT NOT NULL, 
	acted_by VARCHAR(200) NOT NULL, 
	acted_us BIGINT, 
	closed_by VARCHAR(200) NOT NULL, 
	closed_us BIGINT, 
	note TEXT NOT NULL, 
	PRIMARY KEY (line_id, deviation_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX deviation_by_run ON deviation (line_id, run_id);
CREATE TABLE calibration (
	line_id INTEGER NOT NULL, 
	calibration_id VARCHAR(60) NOT NULL, 
	item VARCHAR(100) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	tag VARCHAR(200) NOT NULL, 
	done_us BIGINT NOT NULL, 
	due_us BIGINT NOT NULL, 
	entered_us BIGINT NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	result VARCHAR(20) NOT NULL, 
	found TEXT NOT NULL, 
	certificate TEXT NOT NULL, 
	PRIMARY KEY (line_id, calibration_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX calibration_by_item ON calibration (line_id, item, done_us);
CREATE TABLE bypass (
	line_id INTEGER NOT NULL, 
	bypass_id VARCHAR(60) NOT NULL, 
	interlock VARCHAR(100) NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	reason TEXT NOT NULL, 
	since_us BIGINT NOT NULL, 
	until_us BIGINT NOT NULL, 
	ended_us BIGINT, 
	ended_by VARCHAR(200) NOT NULL, 
	PRIMARY KEY (line_id, bypass_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE lot (
	line_id INTEGER NOT NULL, 
	lot_id VARCHAR(60) NOT NULL, 
	species VARCHAR(100) NOT NULL, 
	origin TEXT NOT NULL, 
	grower TEXT NOT NULL, 
	harvested VARCHAR(10) NOT NULL, 
	received_kg DOUBLE NOT NULL, 
	received_us BIGINT NOT NULL, 
	season VARCHAR(60) NOT NULL, 
	note TEXT NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	PRIMARY KEY (line_id, lot_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE lot_use (
	id INTEGER NOT NULL, 
	line_id INTEGER NOT NULL, 
	use_id VARCHAR(60) NOT NULL, 
	run_id VARCHAR(200) NOT NULL, 
	lot_id VARCHAR(60) NOT NULL, 
	from_us BIGINT NOT NULL, 
	entered_us BIGINT NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	note TEXT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT lot_use_once_per_line UNIQUE (line_id, use_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX lot_use_by_run ON lot_use (line_id, run_id);
CREATE TABLE bag (
	line_id INTEGER NOT NULL, 
	bag_id VARCHAR(200) NOT NULL, 
	run_id VARCHAR(200) NOT NULL, 
	number INTEGER NOT NULL, 
	status VARCHAR(20) NOT NULL, 
	opened_us BIGINT NOT NULL, 
	closed_us BIGINT, 
	weight_kg DOUBLE NOT NULL, 
	moisture_mean DOUBLE, 
	moisture_max DOUBLE, 
	temp_c DOUBLE, 
	aw DOUBLE, 
	aw_low DOUBLE, 
	aw_high DOUBLE, 
	suspect_kg DOUBLE NOT NULL, 
	lots TEXT NOT NULL, 
	suspects TEXT NOT NULL, 
	passage TEXT NOT NULL, 
	note TEXT NOT NULL, 
	updated_us BIGINT NOT NULL, 
	PRIMARY KEY (line_id, bag_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX bag_by_run ON bag (line_id, run_id, number);
CREATE TABLE bag_lot (
	line_id INTEGER NOT NULL, 
	bag_id VARCHAR(200) NOT NULL, 
	lot_id VARCHAR(60) NOT NULL, 
	share DOUBLE NOT NULL, 
	kg DOUBLE NOT NULL, 
	PRIMARY KEY (line_id, bag_id, lot_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX bag_lot_by_lot ON bag_lot (line_id, lot_id);
CREATE TABLE signed_act (
	id INTEGER NOT NULL, 
	line_id INTEGER NOT NULL, 
	act_id VARCHAR(60) NOT NULL, 
	run_id VARCHAR(200) NOT NULL, 
	target VARCHAR(200) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	time_us BIGINT NOT NULL, 
	who VARCHAR(200) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	reason TEXT NOT NULL, 
	meaning TEXT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT signed_act_once_per_line UNIQUE (line_id, act_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE INDEX signed_act_by_run ON signed_act (line_id, run_id);
CREATE TABLE chain (
	line_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	kind VARCHAR(30) NOT NULL, 
	row_key TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (line_id, number), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE chain_head (
	line_id INTEGER NOT NULL, 
	count BIGINT NOT NULL, 
	hash VARCHAR(64) NOT NULL, kinds TEXT DEFAULT 'audit bag bypass calibration deviation event lab lot lot_use recipe run run_version signed_act' NOT NULL, journal_count BIGINT DEFAULT '0' NOT NULL, journal_hash VARCHAR(64) DEFAULT '0000000000000000000000000000000000000000000000000000000000000000' NOT NULL, tail_id BIGINT DEFAULT '0' NOT NULL, tail_hash VARCHAR(64) DEFAULT '' NOT NULL, 
	PRIMARY KEY (line_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
CREATE TABLE recipe_version (
	id VARCHAR(120) NOT NULL, 
	line_id INTEGER NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	version VARCHAR(20) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	text TEXT NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	based_on VARCHAR(20) NOT NULL, 
	author VARCHAR(200) NOT NULL, 
	note TEXT NOT NULL, 
	made_us BIGINT NOT NULL, 
	judged_by VARCHAR(200) NOT NULL, 
	judgement TEXT NOT NULL, 
	judged_us BIGINT, 
	activated_by VARCHAR(200) NOT NULL, 
	activation TEXT NOT NULL, 
	activated_us BIGINT, 
	retired_us BIGINT, 
	PRIMARY KEY (id, line_id), 
	FOREIGN KEY(line_id) REFERENCES line (id)
);
