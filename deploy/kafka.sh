#!/bin/bash
# A KRaft broker in a container, set up as the embedded one is: formatted once with the
# administrator's password, a listener each for services, agencies and the controller.
set -euo pipefail
: "${KAFKA_PASSWORD:?the administrator\'s password}"
home=${KAFKA_HOME:-/opt/kafka}
data=${KAFKA_DATA:-/var/lib/kafka/data}
properties=$(mktemp)
scram='org.apache.kafka.common.security.scram.ScramLoginModule required'
plain='org.apache.kafka.common.security.plain.PlainLoginModule required'
login="username=\"broker\" password=\"$KAFKA_PASSWORD\""

cat > "$properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
log.dirs=$data
listeners=SERVICES://:${KAFKA_PORT:-9092},AGENCIES://:${KAFKA_AGENCY_PORT:-8120},CONTROLLERS://127.0.0.1:${KAFKA_CONTROLLER_PORT:-9093}
advertised.listeners=SERVICES://${KAFKA_HOST:-kafka}:${KAFKA_PORT:-9092},AGENCIES://${KAFKA_AGENCY_HOST:-127.0.0.1}:${KAFKA_AGENCY_PORT:-8120},CONTROLLERS://127.0.0.1:${KAFKA_CONTROLLER_PORT:-9093}
controller.quorum.bootstrap.servers=127.0.0.1:${KAFKA_CONTROLLER_PORT:-9093}
inter.broker.listener.name=SERVICES
controller.listener.names=CONTROLLERS
listener.security.protocol.map=SERVICES:SASL_PLAINTEXT,AGENCIES:SASL_PLAINTEXT,CONTROLLERS:SASL_PLAINTEXT
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
sasl.mechanism.controller.protocol=PLAIN
listener.name.services.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.services.scram-sha-512.sasl.jaas.config=$scram $login;
listener.name.agencies.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.agencies.scram-sha-512.sasl.jaas.config=$scram;
listener.name.agencies.scram-sha-512.connections.max.reauth.ms=45000
listener.name.controllers.sasl.enabled.mechanisms=PLAIN
listener.name.controllers.plain.sasl.jaas.config=$plain $login user_broker="$KAFKA_PASSWORD";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker;User:admin
auto.create.topics.enable=false
log.retention.ms=-1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
PROPERTIES

if [ ! -e "$data/meta.properties" ]; then
    "$home/bin/kafka-storage.sh" format --standalone -c "$properties" \
        -t "$("$home/bin/kafka-storage.sh" random-uuid)" \
        --add-scram "SCRAM-SHA-512=[name=admin,password=$KAFKA_PASSWORD]" \
        --add-scram "SCRAM-SHA-512=[name=broker,password=$KAFKA_PASSWORD]"
fi
exec "$home/bin/kafka-server-start.sh" "$properties"
