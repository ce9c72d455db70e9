"""PostgreSQL and Kafka in containers, for machines with a Docker engine."""

from collections.abc import Iterator
from contextlib import contextmanager

from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy
from testcontainers.postgres import PostgresContainer

from operate.external import External

POSTGRES, KAFKA, JAAS = "postgres:18", "apache/kafka:4.3.1", "org.apache.kafka.common.security"


@contextmanager
def containers(port: int) -> Iterator[External]:
    """Both, ready; Kafka on `port`. Its administrator logs in with PLAIN, all others with SCRAM."""
    at = "LISTENER_NAME_CLIENTS"
    plain = f'{JAAS}.plain.PlainLoginModule required username="admin" password="admin" user_admin="admin";'
    settings = {
        "NODE_ID": "1", "PROCESS_ROLES": "broker,controller", "AUTO_CREATE_TOPICS_ENABLE": "false",
        "LISTENERS": "CLIENTS://:9092,CONTROLLER://:9093", "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "ADVERTISED_LISTENERS": f"CLIENTS://127.0.0.1:{port}", "INTER_BROKER_LISTENER_NAME": "CLIENTS",
        "LISTENER_SECURITY_PROTOCOL_MAP": "CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9093", "SUPER_USERS": "User:admin;User:ANONYMOUS",
        "AUTHORIZER_CLASS_NAME": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "SASL_MECHANISM_INTER_BROKER_PROTOCOL": "PLAIN",
        f"{at}_SASL_ENABLED_MECHANISMS": "PLAIN,SCRAM-SHA-512", f"{at}_PLAIN_SASL_JAAS_CONFIG": plain,
        f"{at}_SCRAM___SHA___512_SASL_JAAS_CONFIG": f"{JAAS}.scram.ScramLoginModule required;",
        f"{at}_SCRAM___SHA___512_CONNECTIONS_MAX_REAUTH_MS": "45000",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1", "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1", "GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
    }  # fmt: skip
    kafka = DockerContainer(KAFKA, env={f"KAFKA_{name}": value for name, value in settings.items()})
    kafka = kafka.with_bind_ports(9092, port).waiting_for(
        LogMessageWaitStrategy("Kafka Server started")
    )
    here = f"127.0.0.1:{port}"
    with PostgresContainer(POSTGRES, driver=None) as db, kafka:
        url = db.get_connection_url()
        yield External(here, here, "admin", "admin", "PLAIN", "SASL_PLAINTEXT", url)
