DROP TABLE workers;
DROP TABLE jobs;
