# NATS with JetStream: messaging. Runs one nats-server.
# Data: the JetStream file store in data_dir. An acknowledged message survives the server's end at once,
# and a power failure only after sync_interval.
# Secrets: Nomad Variable nomad/jobs/nats, items system_password, operator_password and <user>_password.

variable "datacenter" {
  type        = string
  description = "Nomad datacenter of the stack."
}

variable "driver" {
  type        = string
  default     = "raw_exec"
  description = "Nomad task driver. Attributes of other drivers go into `config` as null where they do not apply."
  validation {
    condition     = var.driver == "raw_exec"
    error_message = "Only the embedded substrate (driver raw_exec) exists so far."
  }
}

variable "setpriv" {
  type        = string
  default     = "/usr/bin/setpriv"
  description = "Absolute path of setpriv: it makes the kernel end a task whose executor has died."
}

variable "data_dir" {
  type        = string
  description = "Absolute path of this job's own data folder; it outlives the job."
}

variable "server" {
  type        = string
  description = "Absolute path of nats-server."
}

variable "port" {
  type        = number
  description = "Port of the NATS protocol."
}

variable "monitor_port" {
  type        = number
  description = "Port of the HTTP monitoring pages."
}

variable "sync_interval" {
  type        = string
  default     = "2m"
  description = "How often JetStream fsyncs its files: a duration such as 2m, or always."
}

variable "users" {
  type        = string
  default     = "{}"
  description = "Users besides the operator, who may do everything: a JSON object of { publish, subscribe } by name, each a list of the subjects that the user may use."
}

variable "cpu" {
  type        = number
  default     = 100
  description = "CPU reservation in MHz, the share under contention."
}

variable "memory" {
  type        = number
  default     = 64
  description = "Memory in MiB that is reserved."
}

variable "memory_max" {
  type        = number
  default     = 256
  description = "Memory in MiB: the limit, where Nomad may use cgroups (agent run by root)."
}

job "nats" {
  type        = "service"
  datacenters = [var.datacenter]

  ui {
    description = "NATS with JetStream. Messages are kept in `${var.data_dir}`."
    link {
      label = "Monitoring"
      url   = "http://127.0.0.1:${var.monitor_port}/"
    }
  }

  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "0s"
    healthy_deadline  = "2m"
    progress_deadline = "3m"
  }

  # For failures outside a task (a hook of the allocation): tasks themselves restart in place, see `restart`.
  reschedule {
    delay          = "5s"
    delay_function = "constant"
    unlimited      = true
  }

  group "nats" {
    network {
      port "nats" {
        static = var.port
      }
      port "monitor" {
        static = var.monitor_port
      }
    }

    service {
      name = "nats"
      port = "nats"

      # Answers 200 once JetStream has recovered its streams.
      check {
        name     = "nats answers"
        type     = "http"
        port     = "monitor"
        path     = "/healthz?js-server-only=true"
        interval = "2s"
        timeout  = "2s"
        check_restart {
          limit = 3
          grace = "60s"
        }
      }
    }

    # Never gives up: after the attempts it waits for the next interval, which is short for that reason.
    restart {
      attempts = 5
      interval = "15s"
      delay    = "1s"
      mode     = "delay"
    }

    ephemeral_disk {
      size = 50
    }

    task "nats" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      config {
        command = var.setpriv
        args    = ["--pdeathsig", "KILL", "--", var.server, "-c", "secrets/nats.conf"]
      }

      env {
        DATA_DIR = var.data_dir
      }

      template {
        destination = "secrets/nats.conf"
        perms       = "0600"
        change_mode = "restart"
        data        = <<-EOT
          server_name: nats
          listen: "127.0.0.1:${var.port}"
          http: "127.0.0.1:${var.monitor_port}"
          jetstream {
            store_dir: {{ env "DATA_DIR" | toJSON }}
            sync_interval: "${var.sync_interval}"
            max_memory_store: 32MB
            max_file_store: 8GB
          }
          {{ with nomadVar "nomad/jobs/nats" }}
          accounts {
            SYS { users: [{ user: system, password: "{{ .system_password }}" }] }
            SHOP {
              jetstream: enabled
              users: [
                { user: operator, password: "{{ .operator_password }}" }
                %{ for name, may in jsondecode(var.users) ~}
                {
                  user: "${name}", password: "{{ index . "${name}_password" }}"
                  permissions: {
                    publish: { allow: ["${join("\", \"", may.publish)}"] }
                    subscribe: { allow: ["${join("\", \"", may.subscribe)}"] }
                  }
                }
                %{ endfor ~}
              ]
            }
          }
          {{ end }}
          system_account: SYS
        EOT
      }

      logs {
        max_files     = 3
        max_file_size = 5
      }

      resources {
        cpu        = var.cpu
        memory     = var.memory
        memory_max = var.memory_max
      }
    }
  }
}
